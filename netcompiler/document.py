"""The tree of a file -> a net, checked as written: top keys, variables, blocks, outputs, whatever is used or not.

Everything that can be said without a value is said here, for parts that no variant reaches too. Read next: items.py, expand.py.
"""

from __future__ import annotations

import re

from netcompiler.diagnostics import closest
from netcompiler.identifiers import Binding, Identifiers, Uses, Visible, block
from netcompiler.items import BLOCK, ItemReader
from netcompiler.net import BlockDefinition, Net, OutputDefinition, given_arguments
from netcompiler.reader import Findings, fields_of, is_null, lacks, listed, read_fields, read_options
from netcompiler.schema import ITEM_KEYS, Block, Document, OutputOptions
from netcompiler.source import Items, Mapping, Node, Place, Scalar
from netcompiler.values import Misplaced


def read_document(tree: Mapping, findings: Findings, uses: Uses) -> Net:
    return _Reader(tree, findings, uses).net()


class _Reader:
    def __init__(self, tree: Mapping, findings: Findings, uses: Uses) -> None:
        self.tree = tree
        self.findings = findings
        self.identifiers = Identifiers(findings, uses)
        self.reader = ItemReader(self.identifiers, set(self._entries(tree, "blocks")))

    def net(self) -> Net:
        tree = self.tree
        self._missing()
        top = {key: value for key, value in tree.entries.items() if not key.startswith("x-")}
        read_options(Document, Mapping(tree.place, top, tree.keys), first_character(tree.place), "a spec", self.findings)
        self._written_out("netc", "name")
        self._one_of("input", "inputs")
        self._one_of("loss", "outputs")
        net = Net(tree, self._vars(), self._inputs())
        visible = Visible(self._declared(net.vars), receives=False)
        self._entries(tree, "variants")
        for name, node in self._entries(tree, "blocks").items():
            self._block(net, name, node, visible)
        inner = Visible(visible.ids)
        if "layers" in tree.entries:
            net.layers = self.reader.items(tree.entries["layers"], inner)
        for name, node in self._entries(tree, "outputs").items():
            net.outputs[name] = self._output(name, node, self._key("outputs", name), inner)
        self.reader.in_patch = True
        net.patch = {name: self.reader.slot(node, inner) for name, node in self._entries(tree, "patch").items()}
        self._check_calls(net)
        for key in ("input", "inputs", "loss", "train"):
            if key in tree.entries:
                self.identifiers.expressions(tree.entries[key], visible)
        return net

    def _missing(self) -> None:
        keys = [key for key in ("netc", "name", "input", "layers") if key not in self.tree.entries]
        if "input" in keys and "inputs" in self.tree.entries:
            keys.remove("input")
        if keys and not self._misspelt(keys):
            help = "`netc new NAME` writes a spec that has them"
            self.findings.error("missing-option", first_character(self.tree.place), f"a spec needs {listed(keys)}", help)

    def _misspelt(self, keys: list[str]) -> bool:
        """Whether an unknown key may be meant for each of some keys."""
        unknown = [key for key in self.tree.entries if key not in fields_of(Document)]
        return all(closest(key, unknown) for key in keys)

    def _written_out(self, *keys: str) -> None:
        for key in keys:
            node = self.tree.entries.get(key)
            if node and node.dynamic:
                self.findings.error("computed-key", node.place, f"`{key}` is the same whatever the variables are", "write its value")

    def _one_of(self, short: str, long: str) -> None:
        if short in self.tree.entries and long in self.tree.entries:
            message = f"`{short}` is short for `{long}`: a spec has one of them"
            self.findings.error("both", self.tree.key(long), message, f"take `{short}` out")

    def _entries(self, mapping: Mapping, key: str) -> dict[str, Node]:
        node = mapping.entries.get(key)
        if node is None or is_null(node):
            return {}
        if not isinstance(node, Mapping):
            help = f"write {key}: {{name: …}}"
            if isinstance(node, Items) and key in ("inputs", "args"):
                words = ", ".join(item.raw for item in node.items if isinstance(item, Scalar))
                help = f"write input: [{words}]" if key == "inputs" else f"write args: {{{words}}}"
            self.findings.error("wrong-type", node.place, f"{key} is a mapping", help)
            return {}
        return node.entries

    def _key(self, key: str, name: str) -> Place:
        node = self.tree.entries[key]
        assert isinstance(node, Mapping)
        return node.key(name)

    # variables and inputs

    def _vars(self) -> dict[str, Node]:
        vars = self._entries(self.tree, "vars")
        for name, node in vars.items():
            if is_null(node):
                help = f"write {re.sub(' *= *', ': ', name)}" if "=" in name else "give it one"
                self.findings.error("null", self._key("vars", name), f"the variable `{name}` has no value", help)
            elif isinstance(node, Mapping):
                help = "a variable is a number, a truth, a text or a list"
                self.findings.error("wrong-type", node.place, f"the variable `{name}` is a mapping", help)
            elif node.dynamic:
                help = "only defaults of a block's arguments compute; write the value"
                self.findings.error("computed-variable", node.place, f"the variable `{name}` is computed", help)
            if name in Document.model_fields:
                message = f"`{name}` is a key of the file: no variable may be called so"
                self.findings.error("taken", self._key("vars", name), message, "choose another name")
        return vars

    def _declared(self, vars: dict[str, Node]) -> dict[str, Binding]:
        ids: dict[str, Binding] = {}
        for name, node in vars.items():
            self.identifiers.declare(name, self._key("vars", name), ("variable", "", name), ids)
            self.identifiers.mentioned(node, Visible(ids))  # `$kind` may name a block
        self.identifiers.mentioned(self.tree.entries.get("variants"), Visible(ids))
        return ids

    def _inputs(self) -> dict[str, tuple[Node, Place]]:
        if "input" in self.tree.entries:
            return {"input": (self.tree.entries["input"], self.tree.key("input"))}
        inputs = {name: (node, self._key("inputs", name)) for name, node in self._entries(self.tree, "inputs").items()}
        for name, (_, place) in inputs.items():
            self.reader.check_name(name, place)
        return inputs

    # blocks

    def _block(self, net: Net, name: str, node: Node, visible: Visible) -> None:
        place = self._key("blocks", name)
        if not BLOCK.fullmatch(name):
            help = "a block's name starts with a capital: letters and digits"
            self.findings.error("name", place, f"`{name}` cannot be the name of a block", help)
        self.identifiers.uses.declared.setdefault(block(name), place)
        mapping = read_fields(Block, node, place, f"block {name}", self.findings)
        if mapping is None or lacks(Block, mapping):
            self.identifiers.mentioned(node, visible)
            return
        args = self._entries(mapping, "args")
        if not isinstance(mapping.entries.get("args", mapping), Mapping):
            self.identifiers.mentioned(node, visible)
            return
        net.blocks[name] = definition = BlockDefinition(name, place, args, [])
        ids = dict(visible.ids)
        for arg, default in definition.args.items():
            if not is_null(default):
                self.identifiers.expressions(default, Visible(ids))
            written = mapping.entries["args"]
            self.identifiers.declare(arg, written.key(arg) if isinstance(written, Mapping) else place, ("argument", name, arg), ids)
        self.reader.inside = name
        definition.layers = self.reader.items(mapping.entries["layers"], Visible(ids))
        self.reader.inside = ""

    def _check_calls(self, net: Net) -> None:
        """Arguments fit, and no block leads back to itself."""
        calls: dict[str, set[str]] = {}
        for inside, item in self.reader.calls:
            calls.setdefault(inside, set()).add(item.kind)
            try:
                if item.kind in net.blocks:
                    given_arguments(item, net.blocks[item.kind])
                else:
                    item.broken = True  # the block's own mistake is found already
            except Misplaced as found:
                self.findings.add(found.mistake.at(found.place))
                item.broken = True
        ringed = _in_rings(calls)
        for inside, item in self.reader.calls:
            if inside in ringed and item.kind in ringed:
                item.broken = True
                if way := _way(item.kind, inside, calls):
                    ringed -= set(way)  # one finding for each ring
                    facts = [" -> ".join((inside, *way))] if len(way) > 1 else []
                    help = "use `repeat` for layers that come several times"
                    self.findings.error("recursion", item.place, f"the block {inside} calls itself", help, facts)

    # outputs

    def _output(self, name: str, node: Node, place: Place, visible: Visible) -> OutputDefinition:
        self.reader.check_name(name, place)
        if isinstance(node, Items):
            node = Mapping(node.place, {"sequence": node}, {"sequence": node.place})
        entries = node.entries if isinstance(node, Mapping) else {}
        places = node.keys if isinstance(node, Mapping) else {}
        keys = fields_of(OutputOptions)
        own = Mapping(node.place, {key: value for key, value in entries.items() if key in keys}, places)
        read_options(OutputOptions, own, place, f"output {name}", self.findings)
        self.identifiers.expressions(own, visible)
        output = OutputDefinition(name, place, None, None, None, own)
        rest = {key: value for key, value in entries.items() if key not in keys}
        if "name" in rest:
            self.findings.error("unknown-option", places["name"], "an output's name is its key", "take `name` out")
        elif not isinstance(node, Mapping) or set(rest) - set(ITEM_KEYS):
            output.item = self.reader.item(Mapping(node.place, rest, places) if isinstance(node, Mapping) else node, visible)
        if output.item:
            output.origin, output.when = output.item.origin, output.item.when
            output.item.origin = output.item.when = None
        else:
            output.origin, output.when = self.reader.ref(rest.get("from"), visible), self.reader.when(rest.get("when"), visible)
        return output


def _in_rings(calls: dict[str, set[str]]) -> set[str]:
    """The blocks in rings of calls, and those that stand between two rings."""
    left = set(calls)
    callers: dict[str, set[str]] = {}
    for caller, called in calls.items():
        for name in called:
            callers.setdefault(name, set()).add(caller)
    for forth, back in ((calls, callers), (callers, calls)):
        open = {name: len(forth.get(name, set()) & left) for name in left}
        ends = [name for name, count in open.items() if not count]
        while ends:
            end = ends.pop()
            left.discard(end)
            for name in back.get(end, set()) & left:
                open[name] -= 1
                if not open[name]:
                    ends.append(name)
    return left - {""}


def _way(start: str, goal: str, calls: dict[str, set[str]]) -> tuple[str, ...]:
    """The blocks from one to another along calls, both included; empty when no call leads there."""
    ways: dict[str, tuple[str, ...]] = {start: (start,)}
    waiting = [start]
    while waiting and goal not in ways:
        here = waiting.pop(0)
        for there in sorted(calls.get(here, set()) - ways.keys()):
            ways[there] = (*ways[here], there)
            waiting.append(there)
    return ways.get(goal, ())


def first_character(place: Place) -> Place:
    """The place of something long, shown by its beginning."""
    return place._replace(end_line=place.line, end_column=place.column + 1)
