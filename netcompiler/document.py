"""The tree of a file -> items, blocks and outputs, checked as written: kinds, options, names, whatever is used or not.

Everything that can be said without a value is said here, for parts that no variant reaches too. Read next: expand.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from netcompiler.diagnostics import Mistake, did_you_mean
from netcompiler.expression import Expression, parse_template, parse_value
from netcompiler.formula import parse_formula
from netcompiler.grammar import ID, TAKEN
from netcompiler.layers import KINDS
from netcompiler.layers.layer import Layer
from netcompiler.options import Columns, Formula, ItemList, SlotMap
from netcompiler.reader import Findings, fields_of, is_null, mark_of, read_fields, read_options, text_place
from netcompiler.schema import COMPOSITIONS, ITEM_KEYS, Block, Document, OutputOptions
from netcompiler.source import Items, Mapping, Node, Place, Scalar
from netcompiler.values import Misplaced

BLOCK = re.compile(r"[A-Z][A-Za-z0-9]*")
NAME = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9_-]+")


@dataclass(slots=True, eq=False)
class Item:
    """One item as written. `layer` is there already when no `$` stands in its options; `broken` after an error in it."""

    place: Place
    kind: str
    options: Node | None = None
    chooser: Scalar | None = None
    name: Scalar | None = None
    origin: Scalar | None = None
    when: Node | None = None
    layer: Layer | None = None
    broken: bool = False
    lists: dict[str, list[Item]] = field(default_factory=dict)
    slots: dict[str, Slot] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Slot:
    """What stands under a name: one item, or a list that is a sequence of that name."""

    place: Place
    items: list[Item]
    single: bool


@dataclass(slots=True, eq=False)
class BlockDefinition:
    name: str
    place: Place
    args: dict[str, Node]
    layers: list[Item]


@dataclass(slots=True, eq=False)
class OutputDefinition:
    name: str
    place: Place
    item: Item | None
    origin: Scalar | None
    when: Node | None
    options: Mapping


@dataclass(slots=True, eq=False)
class Net:
    """A whole file, read."""

    tree: Mapping
    vars: dict[str, Node]
    inputs: dict[str, tuple[Node, Place]]
    blocks: dict[str, BlockDefinition]
    layers: list[Item]
    outputs: dict[str, OutputDefinition]
    patch: dict[str, Slot]


Binding = tuple[str, str, str]
"""What an ID means: its sort (variable, argument, column), its owner, its name."""


@dataclass
class Scope:
    """The IDs that an expression may use, and whether `$in`, `$size` and `$index` mean something there."""

    ids: dict[str, Binding]
    receives: bool = True
    turns: bool = False

    def words(self) -> set[str]:
        return {*self.ids, *({"in", "size"} if self.receives else ()), *({"index"} if self.turns else ())}


class Uses:
    """What all variants of a file declare and use."""

    def __init__(self) -> None:
        self.declared: dict[Binding, Place] = {}
        self.used: set[Binding] = set()

    def unused(self) -> Iterator[tuple[Binding, Place]]:
        return ((binding, place) for binding, place in self.declared.items() if binding not in self.used)


def read_document(tree: Mapping, findings: Findings, uses: Uses) -> Net:
    return _Reader(findings, uses).document(tree)


class _Reader:
    def __init__(self, findings: Findings, uses: Uses) -> None:
        self.findings = findings
        self.uses = uses
        self.block_names: set[str] = set()
        self.in_patch = False
        self.calls: list[tuple[str, Item]] = []
        self.inside = ""

    # the file

    def document(self, tree: Mapping) -> Net:
        top = {key: value for key, value in tree.entries.items() if not key.startswith("x-")}
        read_options(Document, Mapping(tree.place, top, tree.keys), first_character(tree.place), "a spec", self.findings)
        self._one_of(tree, "input", "inputs")
        self._one_of(tree, "loss", "outputs")
        vars = self._vars(tree)
        scope = Scope(self._declare_all(vars, tree, "variable"), receives=False)
        blocks = self._entries(tree, "blocks")
        self.block_names = set(blocks)
        net = Net(tree, vars, self._inputs(tree), {}, [], {}, {})
        for name, node in blocks.items():
            self._block(net, name, node, self._key(tree, "blocks", name), scope)
        inner = Scope(scope.ids)
        if "layers" in tree.entries:
            net.layers = self.items(tree.entries["layers"], inner)
        for name, node in self._entries(tree, "outputs").items():
            self._output(net, name, node, self._key(tree, "outputs", name), inner)
        self.in_patch = True
        for name, node in self._entries(tree, "patch").items():
            net.patch[name] = self.slot(node, inner)
        self._check_calls(net)
        for key in ("input", "inputs", "loss", "train"):
            if key in tree.entries:
                self.expressions(tree.entries[key], scope)
        return net

    def _one_of(self, tree: Mapping, short: str, long: str) -> None:
        if short in tree.entries and long in tree.entries:
            self.findings.error("both", tree.key(long), f"`{short}` is short for `{long}`: a spec has one of them", f"take `{short}` out")

    def _entries(self, tree: Mapping, key: str) -> dict[str, Node]:
        node = tree.entries.get(key)
        if node is None or is_null(node):
            return {}
        if not isinstance(node, Mapping):
            self.findings.error("wrong-type", node.place, f"{key} is a mapping", f"write {key}: {{name: …}}")
            return {}
        return node.entries

    def _key(self, tree: Mapping, key: str, name: str) -> Place:
        node = tree.entries[key]
        assert isinstance(node, Mapping)
        return node.key(name)

    def _vars(self, tree: Mapping) -> dict[str, Node]:
        vars = self._entries(tree, "vars")
        for name, node in vars.items():
            if is_null(node):
                self.findings.error("null", self._key(tree, "vars", name), f"the variable `{name}` has no value", "give it one")
            elif isinstance(node, Mapping):
                self.findings.error(
                    "wrong-type", node.place, f"the variable `{name}` is a mapping", "a variable is a number, a truth, a text or a list"
                )
            elif node.dynamic:
                self.findings.error(
                    "computed-variable",
                    node.place,
                    f"the variable `{name}` is computed",
                    "only defaults of a block's arguments compute; write the value",
                )
            if name in Document.model_fields:
                self.findings.error(
                    "taken",
                    self._key(tree, "vars", name),
                    f"`{name}` is a key of the file: no variable may be called so",
                    "choose another name",
                )
        return vars

    def _inputs(self, tree: Mapping) -> dict[str, tuple[Node, Place]]:
        if "input" in tree.entries:
            return {"input": (tree.entries["input"], tree.key("input"))}
        inputs = {name: (node, self._key(tree, "inputs", name)) for name, node in self._entries(tree, "inputs").items()}
        for name, (_, place) in inputs.items():
            self._check_name(name, place)
        if not inputs:
            self.findings.error(
                "missing-option",
                first_character(tree.place),
                "a spec needs `input`",
                "write the shape of one picture: input: [3, 224, 224]",
            )
        return inputs

    def _declare_all(self, names: Iterable[str], tree: Mapping, sort: str) -> dict[str, Binding]:
        ids: dict[str, Binding] = {}
        for name in names:
            self.declare(name, self._key(tree, "vars", name), (sort, "", name), ids)
        return ids

    def declare(self, name: str, place: Place, binding: Binding, ids: dict[str, Binding]) -> None:
        """Adds an ID to `ids`, in which nothing may hide anything."""
        if not re.fullmatch(ID, name):
            self.findings.error(
                "name", place, f"`{name}` cannot be the name of a {binding[0]}", "use letters, digits and _, with a letter first"
            )
        elif name in TAKEN:
            self.findings.error(
                "taken", place, f"`{name}` has a meaning of its own: no {binding[0]} may be called so", "choose another name"
            )
        elif name in ids:
            sort, owner, _ = ids[name]
            self.findings.error(
                "hides",
                place,
                f"`{name}` is a {sort} already{f' of {owner}' if owner else ''}",
                "nothing hides anything: choose another name",
            )
        self.uses.declared.setdefault(binding, place)
        ids[name] = binding

    def _block(self, net: Net, name: str, node: Node, place: Place, scope: Scope) -> None:
        if not BLOCK.fullmatch(name):
            self.findings.error(
                "name", place, f"`{name}` cannot be the name of a block", "a block's name starts with a capital: letters and digits"
            )
        self.uses.declared.setdefault(("block", "", name), place)
        mapping = read_fields(Block, node, place, f"block {name}", self.findings)
        if mapping is None:
            return
        args = self._entries(mapping, "args")
        ids = dict(scope.ids)
        for arg, default in args.items():
            if not is_null(default):
                self.expressions(default, Scope(ids))
            self.declare(arg, self._key(mapping, "args", arg), ("argument", name, arg), ids)
        definition = BlockDefinition(name, place, args, [])
        net.blocks[name] = definition
        self.inside = name
        definition.layers = self.items(mapping.entries["layers"], Scope(ids))
        self.inside = ""

    def _output(self, net: Net, name: str, node: Node, place: Place, scope: Scope) -> None:
        self._check_name(name, place)
        entries = node.entries if isinstance(node, Mapping) else {}
        keys = fields_of(OutputOptions)
        own = Mapping(
            node.place, {key: value for key, value in entries.items() if key in keys}, node.keys if isinstance(node, Mapping) else {}
        )
        read_options(OutputOptions, own, place, f"output {name}", self.findings)
        self.expressions(own, scope)
        output = OutputDefinition(name, place, None, None, None, own)
        net.outputs[name] = output
        rest = {key: value for key, value in entries.items() if key not in keys}
        if isinstance(node, Mapping) and "name" in rest:
            self.findings.error("unknown-option", node.key("name"), "an output's name is its key", "take `name` out")
        elif not isinstance(node, Mapping) or set(rest) - set(ITEM_KEYS):
            output.item = self.item(Mapping(node.place, rest, node.keys) if isinstance(node, Mapping) else node, scope)
        if output.item:
            output.origin, output.when = output.item.origin, output.item.when
            output.item.origin = output.item.when = None
        else:
            output.origin, output.when = self._ref(rest.get("from"), scope), self._when(rest.get("when"), scope)

    # items

    def items(self, node: Node, scope: Scope) -> list[Item]:
        if not isinstance(node, Items):
            help = "start each layer with `- `" if isinstance(node, Mapping) else "write the layers as a list"
            self.findings.error("wrong-type", node.place, "layers are a list", help)
            return []
        read = (self.item(item, scope) for item in node.items)
        return [item for item in read if item]

    def slot(self, node: Node, scope: Scope) -> Slot:
        if isinstance(node, Items):
            return Slot(node.place, self.items(node, scope), False)
        item = self.item(node, scope)
        if item and item.name:
            self.findings.error("name", item.name.place, "this item has the name that it stands under", "take `name` out")
        return Slot(node.place, [item] if item else [], True)

    def item(self, node: Node, scope: Scope) -> Item | None:
        if isinstance(node, Scalar):
            return self._bare(node, scope)
        if isinstance(node, Items):
            self.findings.error(
                "wrong-type", node.place, "a list stands where an item is expected", "write `sequence: [...]`, or take one `- ` away"
            )
            return None
        assert isinstance(node, Mapping)
        kinds = [key for key in node.entries if key not in ITEM_KEYS]
        if len(kinds) != 1:
            self._wrong_kinds(node, kinds)
            return None
        [kind] = kinds
        item = Item(node.key(kind), kind, node.entries[kind])
        item.name, item.origin = self._name(node.entries.get("name"), scope), self._ref(node.entries.get("from"), scope)
        item.when = self._when(node.entries.get("when"), scope)
        self._by_kind(item, scope)
        return item

    def _bare(self, node: Scalar, scope: Scope) -> Item | None:
        if not isinstance(node.value, str):
            self.findings.error("wrong-type", node.place, f"`{node.raw}` is no layer", "an item is a kind, or {kind: options}")
            return None
        item = Item(node.place, node.value)
        if node.dynamic:
            self.expressions(node, scope)
            item.kind, item.chooser = "", node
        elif not (self.in_patch and item.kind == "same"):
            self._by_kind(item, scope)
        return item

    def _wrong_kinds(self, node: Mapping, kinds: list[str]) -> None:
        if not kinds:
            self.findings.error("no-kind", node.place, "this item has no kind", "name a layer: {conv: {…}, name: …}")
            return
        unknown = [key for key in kinds if not self._known(key)]
        place = node.key(unknown[0] if unknown else kinds[1])
        if unknown and len(kinds) - len(unknown) == 1:
            words = {*ITEM_KEYS}
            self.findings.error("unknown-option", place, f"an item has no key `{unknown[0]}`", did_you_mean(unknown[0], words))
        elif unknown:
            self._unknown_kind(unknown[0], place)
        else:
            self.findings.error(
                "two-kinds",
                place,
                f"an item has one kind, and this has {' and '.join(f'`{k}`' for k in kinds)}",
                "start each layer with a dash of its own",
            )

    def _known(self, kind: str) -> bool:
        return kind in KINDS or kind in COMPOSITIONS or kind in self.block_names

    def _unknown_kind(self, kind: str, place: Place) -> None:
        if ":" in kind:
            word, value = (part.strip() for part in kind.split(":", 1))
            self.findings.error(
                "unknown-layer", place, f"there is no layer `{kind}`", f"write `{word}: {value}`, with a blank after the colon"
            )
        elif kind.startswith("-"):
            self.findings.error(
                "unknown-layer", place, f"there is no layer `{kind}`", f"write `- {kind.lstrip('-')}`, with a blank after the dash"
            )
        elif BLOCK.fullmatch(kind):
            help = did_you_mean(kind, {*self.block_names, *KINDS}) or "define it under `blocks`"
            self.findings.error("unknown-block", place, f"there is no block `{kind}`", help)
        else:
            self.findings.error(
                "unknown-layer",
                place,
                f"there is no layer `{kind}`",
                did_you_mean(kind, {*KINDS, *COMPOSITIONS, *self.block_names}) or "`netc layers` lists them",
            )

    def _by_kind(self, item: Item, scope: Scope) -> None:
        before = self.findings.errors
        if item.kind in KINDS:
            self.layer(item, scope)
        elif item.kind in COMPOSITIONS:
            self._composition(item, scope)
        elif item.kind in self.block_names:
            self._call(item, scope)
        else:
            self._unknown_kind(item.kind, item.place)
        item.broken = self.findings.errors > before and not (item.lists or item.slots)

    def layer(self, item: Item, scope: Scope) -> None:
        model = KINDS[item.kind]
        self._options(model, item.options, item.kind, scope)
        item.layer = read_options(model, item.options, item.place, item.kind, self.findings)
        if item.kind in MERGES:
            self._merge(item, scope)
        if item.layer and any(mark_of(f, Formula) for f in fields_of(model).values()):
            item.layer = None  # variables in a formula get their values in expand.py

    def _merge(self, item: Item, scope: Scope) -> None:
        """Names to merge may have `$` inside; there is no `from`."""
        of = item.options.entries.get("of") if isinstance(item.options, Mapping) else item.options
        for ref in of.items if isinstance(of, Items) else ():
            if isinstance(ref, Scalar) and not ref.dynamic:
                self._template(ref, scope)
        if item.origin:
            self.findings.error(
                "merge-from", item.origin.place, f"`{item.kind}` takes what `of` names, and no `from`", "put the name into `of`"
            )
            item.origin = None

    def _options(self, model: Any, node: Node | None, what: str, scope: Scope) -> None:
        """Every name that options use, in `$` and in formulas."""
        if node is None:
            return
        self.expressions(node, scope)
        formulas = [key for key, option in fields_of(model).items() if mark_of(option, Formula)]
        for key in formulas:
            text = node.entries.get(key) if isinstance(node, Mapping) else node
            if isinstance(text, Scalar) and isinstance(text.value, str) and not text.dynamic:
                self._formula(text, scope)

    def _formula(self, node: Scalar, scope: Scope) -> None:
        try:
            formula = parse_formula(node.raw)
        except Mistake:
            return  # read_options says it
        self._names(formula, node, Scope({**scope.ids, "x": ("formula", "", "x")}, scope.receives, scope.turns))

    def _composition(self, item: Item, scope: Scope) -> None:
        model = COMPOSITIONS[item.kind]
        read_options(model, item.options, item.place, item.kind, self.findings)
        mapping = read_fields(model, item.options, item.place, item.kind, Findings())
        if mapping is None:
            return
        item.options = mapping
        inner = scope
        if item.kind in ("repeat", "dense"):
            inner = Scope(dict(scope.ids), scope.receives, True)
        if item.kind == "repeat" and ("times" in mapping.entries) == ("over" in mapping.entries):
            self.findings.error(
                "repeat",
                item.place,
                "a repeat has either `times` or `over`",
                "times: how many turns; over: {name: [a value for each turn]}",
            )
        for key, node in mapping.entries.items():
            mark = fields_of(model)[key].metadata
            if any(isinstance(m, Columns) for m in mark):
                self._columns(node, scope, inner)
            elif not any(isinstance(m, ItemList | SlotMap) for m in mark):
                self.expressions(node, scope)
        for key, node in mapping.entries.items():
            if mark_of(fields_of(model)[key], ItemList):
                item.lists[key] = self.items(node, inner)
            elif mark_of(fields_of(model)[key], SlotMap):
                item.slots = self._paths(node, inner)

    def _columns(self, node: Node, scope: Scope, inner: Scope) -> None:
        if not isinstance(node, Mapping) or not node.entries:
            self.findings.error("wrong-type", node.place, "over is a mapping of names to lists", "write over: {filters: [64, 128]}")
            return
        for name, values in node.entries.items():
            self.expressions(values, scope)
            if not isinstance(values, Items) and not values.dynamic:
                self.findings.error(
                    "wrong-type", values.place, f"the column `{name}` must be a list", f"write {name}: [one value for each turn]"
                )
            self.declare(name, node.key(name), ("column", str(node.key(name)), name), inner.ids)

    def _paths(self, node: Node, scope: Scope) -> dict[str, Slot]:
        if not isinstance(node, Mapping) or not node.entries:
            self.findings.error("wrong-type", node.place, "paths is a mapping of names to items", "write paths: {left: […], right: […]}")
            return {}
        for name in node.entries:
            self._check_name(name, node.key(name))
        return {name: self.slot(value, scope) for name, value in node.entries.items()}

    def _call(self, item: Item, scope: Scope) -> None:
        self.uses.used.add(("block", "", item.kind))
        self.calls.append((self.inside, item))
        if item.options is not None:
            self.expressions(item.options, scope)

    def _check_calls(self, net: Net) -> None:
        """Arguments fit, and no block leads back to itself."""
        calls: dict[str, set[str]] = {}
        for block, item in self.calls:
            calls.setdefault(block, set()).add(item.kind)
            try:
                if item.kind in net.blocks:
                    given_arguments(item, net.blocks[item.kind])
            except Misplaced as found:
                self.findings.add(found.mistake.at(found.place))
                item.broken = True
        for block, item in self.calls:
            if block and block in reached(item.kind, calls):
                self.findings.error(
                    "recursion", item.place, f"the block {block} calls itself", "use `repeat` for layers that come several times"
                )
                item.broken = True

    # names

    def _name(self, node: Node | None, scope: Scope) -> Scalar | None:
        text = self._text(node, "name", scope)
        if text and "$" not in text.raw:
            self._check_name(text.raw, text.place)
        return text

    def _check_name(self, name: str, place: Place) -> None:
        if not NAME.fullmatch(name):
            self.findings.error("name", place, f"`{name}` cannot be a name", "use letters, digits, _ and -, with at least one letter")

    def _ref(self, node: Node | None, scope: Scope) -> Scalar | None:
        return self._text(node, "from", scope)

    def _text(self, node: Node | None, key: str, scope: Scope) -> Scalar | None:
        if node is None:
            return None
        if not isinstance(node, Scalar) or not isinstance(node.value, str):
            if key == "name" and isinstance(node, Scalar) and node.value is not None:
                self.findings.error(
                    "name", node.place, f"`{node.raw}` cannot be a name", "use letters, digits, _ and -, with at least one letter"
                )
            else:
                self.findings.error("wrong-type", node.place, f"`{key}` is a text", f"write {key}: and a name")
            return None
        self._template(node, scope)
        return node

    def _template(self, node: Scalar, scope: Scope) -> None:
        try:
            for part in parse_template(node.raw):
                if isinstance(part, Expression):
                    self._names(part, node, scope)
        except Mistake as mistake:
            self.findings.add(mistake.at(text_place(node)))

    def _when(self, node: Node | None, scope: Scope) -> Node | None:
        if node is None:
            return None
        if not isinstance(node, Scalar) or not (node.dynamic or isinstance(node.value, bool)):
            self.findings.error("wrong-type", node.place, "`when` is true, false, or an expression", "write when: $(depth > 1)")
            return None
        self.expressions(node, scope)
        return node

    def expressions(self, node: Node, scope: Scope) -> None:
        """Checks every name in every `$` of a node."""
        if isinstance(node, Mapping):
            for value in node.entries.values():
                self.expressions(value, scope)
        elif isinstance(node, Items):
            for value in node.items:
                self.expressions(value, scope)
        elif isinstance(node, Scalar) and node.dynamic:
            try:
                self._names(parse_value(node.raw), node, scope)
            except Mistake as mistake:
                self.findings.add(mistake.at(text_place(node)))

    def _names(self, expression: Expression, node: Scalar, scope: Scope) -> None:
        for name, span in expression.names():
            binding = scope.ids.get(name)
            if binding:
                self.uses.used.add(binding)
            elif name not in scope.words():
                self.findings.add(_unknown_name(name, scope, span).at(text_place(node)))


def given_arguments(item: Item, block: BlockDefinition) -> dict[str, Node]:
    """The arguments of a call by name: the short form written out, unknown and missing ones refused."""
    options = item.options
    required = [name for name, default in block.args.items() if is_null(default)]
    given: dict[str, Node] = {}
    if isinstance(options, Mapping):
        given = options.entries
    elif options is not None and not is_null(options):
        if len(required) != 1:
            words = ", ".join(block.args) or "none"
            raise Misplaced(Mistake("short-form", f"{block.name} does not take a single value", f"its arguments: {words}"), options.place)
        given = {required[0]: options}
    for name, node in given.items():
        place = options.key(name) if isinstance(options, Mapping) else item.place
        if name not in block.args:
            raise Misplaced(Mistake("unknown-argument", f"{block.name} has no argument `{name}`", did_you_mean(name, block.args)), place)
        if is_null(node):
            raise Misplaced(
                Mistake("null", f"the argument `{name}` has no value", f"write one after the colon, or leave `{name}` out"), place
            )
    missing = [name for name in required if name not in given]
    if missing:
        words = " and ".join(f"`{name}`" for name in missing)
        raise Misplaced(Mistake("missing-argument", f"{block.name} needs {words}", facts=[f"the block is at {block.place}"]), item.place)
    return given


def reached(block: str, calls: dict[str, set[str]]) -> set[str]:
    """All blocks that a block leads to, itself included."""
    found = {block}
    waiting = [block]
    while waiting:
        new = calls.get(waiting.pop(), set()) - found
        found |= new
        waiting += new
    return found


MERGES = {"concat", "add", "multiply"}


def _unknown_name(name: str, scope: Scope, span: tuple[int, int]) -> Mistake:
    if name == "index":
        return Mistake(
            "unknown-variable",
            "`$index` is the turn of a repeat, and there is none around this",
            "pass it to a block as an argument",
            span=span,
        )
    if name in ("in", "size"):
        return Mistake("unknown-variable", f"`${name}` is what an item receives, and nothing is received here", span=span)
    return Mistake("unknown-variable", f"there is no variable `{name}` here", did_you_mean(name, scope.words()), span=span)


def first_character(place: Place) -> Place:
    """The place of something long, shown by its beginning."""
    return place._replace(end_line=place.line, end_column=place.column + 1)
