"""One walk over the items in written order: values for `$`, names, shapes. Items -> graph.

Every item knows its input's shape when it is reached, so sizes may be computed from it. Read before: document.py, flow.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import chain, repeat
from typing import Any

from netcompiler.arithmetic import show_value, sort_of
from netcompiler.diagnostics import Call, Mistake, did_you_mean
from netcompiler.expression import fill, parse_template, parse_value
from netcompiler.flow import Around, Frame, Scope, Sight, Unknown, Value
from netcompiler.graph import Graph, Node, Output
from netcompiler.guard import Guard, TooMuch, check_size
from netcompiler.items import NAME
from netcompiler.layers import KINDS
from netcompiler.layers.layer import Layer, show
from netcompiler.losses import Loss
from netcompiler.net import MERGES, BlockDefinition, Item, Net, OutputDefinition, Slot, given_arguments
from netcompiler.reader import Findings, option_place, read_options, text_place
from netcompiler.schema import COMPOSITIONS, OutputOptions
from netcompiler.source import Items, Mapping, Place, Scalar
from netcompiler.source import Node as Written
from netcompiler.values import Misplaced, exact, substitute, substitute_options


def expand(net: Net, spec: str, variant: str | None, findings: Findings) -> Graph:
    return _Expander(net, findings).graph(spec, variant)


class _Expander:
    def __init__(self, net: Net, findings: Findings) -> None:
        self.net = net
        self.findings = findings
        self.guard = Guard(findings)
        self.vars = {name: exact(node) for name, node in net.vars.items() if not node.dynamic and not isinstance(node, Mapping)}
        self.nodes: list[Node] = []
        self.scopes: dict[str, str] = {}
        self.read: set[Node] = set()
        self.patched: set[str] = set()

    # the net

    def graph(self, spec: str, variant: str | None) -> Graph:
        inputs = {name: self._input(name, node, place) for name, (node, place) in self.net.inputs.items()}
        first = next(iter(inputs.values())) if len(inputs) == 1 else None
        around = Around(self.vars, Scope(), Frame(values=dict(inputs)), first)
        given = [value.node for value in inputs.values() if value.node]
        outputs: list[Output] = []
        try:
            last = self.walk(self.net.layers, first, around)
            outputs = self._outputs(last, around)
            self._unmatched_patches()
            if not self.findings.errors:
                self._unread([*given, *self.nodes])
        except TooMuch:
            outputs = []  # the diagnostic is there, and the nodes so far still make a table
        texts = {key: node.raw for key, node in self.net.tree.entries.items() if isinstance(node, Scalar)}
        broken = self.findings.errors > 0
        return Graph(
            spec, variant, texts.get("name", ""), texts.get("doc", ""), tuple(given), tuple(self.nodes), tuple(outputs), self.scopes, broken
        )

    def _input(self, name: str, node: Written, place: Place) -> Value:
        self.guard.names[name] = place
        with self.guard.reported(place):
            sizes = exact(substitute(node, Sight(Around(self.vars, Scope(), Frame(), None), Value())))
            if isinstance(sizes, list) and 1 <= len(sizes) <= 4 and all(type(n) is int and 0 < n < 2**31 for n in sizes):
                self._channels_first(sizes, node.place)
                return Value(Node(name, None, (), tuple(sizes), place), tuple(sizes))
            if node is self.net.tree.entries.get("input") and not node.dynamic:
                return Value()  # a finding is there already
            help = "write [n], [channels, length], [channels, height, width] or [channels, depth, height, width]"
            raise Misplaced(
                Mistake("wrong-type", f"`{name}` must be a list of 1 to 4 sizes, each a whole number, 1 or more", help), node.place
            )
        return Value()

    def _outputs(self, last: Value | None, around: Around) -> list[Output]:
        if self.net.outputs:
            outputs = (self._output(definition, last, around) for definition in self.net.outputs.values())
            return [output for output in outputs if output]
        loss, place = self.net.tree.entries.get("loss"), self.net.tree.key("loss")
        options = Mapping(place, {"loss": loss}, {"loss": place}) if loss else Mapping(place, {}, {})
        output = self._output(OutputDefinition("output", place, None, None, None, options), last, around)
        return [output] if output else []

    def _channels_first(self, sizes: list[int], place: Place) -> None:
        """A note on `[32, 32, 3]`, which other frameworks write for a picture in colours."""
        if len(sizes) == 3 and sizes[0] == sizes[1] > sizes[2] and sizes[2] in (1, 3):
            message = f"this is {sizes[0]} maps of {show(tuple(sizes[1:]))}: channels come first"
            note = Mistake("channels-last", message, f"a picture is [{sizes[2]}, {sizes[0]}, {sizes[1]}]")
            self.findings.add(note.at(place, severity="note"))

    def _output(self, definition: OutputDefinition, last: Value | None, around: Around) -> Output | None:
        value = self._ref(definition.origin, last, around) if definition.origin else last
        with self.guard.reported(definition.place):
            if not self._present(definition.when, value, around):
                return None
            filled = substitute(definition.options, Sight(around, value))
            options = read_options(OutputOptions, filled, definition.place, "output", self.findings)
            if options and definition.item:
                inside = replace(around, only=options.only or "", frame=Frame(around.frame))
                value = self._under(definition.name, Slot(definition.place, [definition.item], True), value, inside)
            if options and value and value.node:
                self.read.add(value.node)
                if options.loss:
                    self._check_loss(value.node, options, definition)
                return Output(
                    definition.name, value.node, options.loss, options.weight, options.target, options.only or "", definition.place
                )
        return None

    def _check_loss(self, node: Node, options: OutputOptions, definition: OutputDefinition) -> None:
        try:
            check_loss(node, options.loss)
        except Mistake as mistake:
            raise Misplaced(mistake, definition.options.entries["loss"].place) from None

    def _unread(self, nodes: list[Node]) -> None:
        for node in nodes:
            if node not in self.read:
                help = "let a layer take it with `from`, join it with concat or add, or make it an output"
                self.findings.add(
                    Mistake("unread", f"nothing reads {node.name}", help, [f"its shape: {show(node.shape)}"]).at(node.place, node.calls)
                )

    def _unmatched_patches(self) -> None:
        patch = self.net.tree.entries.get("patch")
        for name in self.net.patch:
            if name not in self.patched and isinstance(patch, Mapping):
                help = did_you_mean(name, {*self.guard.names, *self.scopes}) or "the names are those of the table at --depth all"
                self.findings.error("unknown-name", patch.key(name), f"no item is called `{name}`", help)

    # items

    def walk(self, items: list[Item], value: Value | None, around: Around) -> Value | None:
        for item in items:
            value = self.item(item, value, around)
        return value

    def item(self, item: Item, above: Value | None, around: Around, forced: str = "") -> Value | None:
        """What flows on behind an item. `forced` is the name that it stands under."""
        self.guard.count(item.place)
        if item.kind == "same" and around.same:
            old, there = around.same
            return self.item(old, above, replace(there, scope=around.scope), forced or around.scope.number())
        result: Value | None = Value()
        name = forced
        with self.guard.reported(item.place, around.calls):
            value = self._ref(item.origin, above, around) if item.origin else above
            if not self._present(item.when, value, around):
                return above
            kind = self._kind(item, value, around)
            if item.name and not forced:
                name = self._name(item.name, value, around)
            if not forced and (name or kind not in COMPOSITIONS):
                number = around.scope.number()
                name = name or number
            if not item.broken:
                result = self._patched(item, kind, name, value, around)
            elif kind in KINDS and KINDS[kind].shape is Layer.shape and value:
                result = Value(None, value.shape)  # whatever is wrong with it, what it gives has the shape of what it receives
        if item.name and name:
            around.frame.values[name] = result or Value()
        return result

    def _patched(self, item: Item, kind: str, name: str, value: Value | None, around: Around) -> Value | None:
        """The item, or what a patch puts in its place."""
        full = around.scope.full(name)
        if name and full in self.net.patch and full not in self.patched:
            self.patched.add(full)
            return self._under(
                name, self.net.patch[full], value, replace(around, values=self.vars, same=(item, around), frame=Frame(around.frame))
            )
        if kind in COMPOSITIONS:
            return self._composition(item, kind, name, value, around)
        if kind in self.net.blocks:
            return self._call(item, self.net.blocks[kind], full, value, around)
        return self._layer(item, kind, full, value, around)

    def _under(self, name: str, slot: Slot, value: Value | None, around: Around) -> Value | None:
        """A slot under a name: one item takes the name, a list is a sequence of that name."""
        if slot.single:
            return self.item(slot.items[0], value, around, name) if slot.items else Value()
        full = around.scope.full(name)
        self.guard.claim(full, slot.place, around.calls)
        self.scopes[full] = "sequence"
        return self.walk(slot.items, value, replace(around, scope=Scope(full), frame=Frame(around.frame)))

    def _layer(self, item: Item, kind: str, full: str, value: Value | None, around: Around) -> Value:
        if kind in MERGES:
            layer, inputs = self._merge(item, kind, value, around)
        else:
            inputs = [self._need(value, item.place)]
            layer = item.layer or self._options(KINDS[kind], item, kind, value, around)
        return self._emit(layer, full, inputs, item.place, around, item.options) if layer else Value()

    def _emit(self, layer: Layer, full: str, inputs: list[Value], place: Place, around: Around, options: Written | None = None) -> Value:
        """A new node; without one, and perhaps without a shape, where the inputs do not fit."""
        self.guard.claim(full, place, around.calls)
        self.read.update(value.node for value in inputs if value.node)
        shapes = [value.shape for value in inputs if value.shape is not None]
        if len(shapes) < len(inputs):
            return Value()
        try:
            shape = layer.shape(*shapes)
            check_size(shape)
        except Mistake as mistake:
            self.findings.add(mistake.at(option_place(options, mistake.option, type(layer)) or place, around.calls))
            return Value(None, mistake.guess)
        nodes = tuple(value.node for value in inputs if value.node)
        if len(nodes) < len(inputs):
            return Value(None, shape)
        node = Node(full, layer, nodes, shape, place, around.calls, around.only, options)
        self.nodes.append(node)
        for note in layer.notes(shapes[0]):
            self.findings.add(note.at(place, around.calls, "note"))
        return Value(node, shape)

    def _merge(self, item: Item, kind: str, above: Value | None, around: Around) -> tuple[Layer | None, list[Value]]:
        written = item.options.entries.get("of") if isinstance(item.options, Mapping) else item.options
        refs = [ref for ref in written.items if isinstance(ref, Scalar)] if isinstance(written, Items) else []
        names = [self._filled(ref, None, around) for ref in refs]  # None: a merge receives nothing that `$in` could mean
        inputs = [self._ref(ref, above, around) for ref in refs]
        layer: Layer = KINDS[kind](of=names)
        return layer, inputs

    def _options(self, model: Any, item: Item, what: str, value: Value | None, around: Around) -> Any:
        """The options of an item with their values in place."""
        filled = substitute_options(model, item.options, Sight(around, value))
        return read_options(model, filled, item.place, what, self.findings, around.calls)

    # compositions

    def _composition(self, item: Item, kind: str, name: str, value: Value | None, around: Around) -> Value | None:
        inside = replace(around, frame=Frame(around.frame))
        if name:
            full = around.scope.full(name)
            self.scopes[full] = kind
            inside = replace(inside, scope=Scope(full))
            around.frame.inner[name] = inside.frame
        options = self._options(COMPOSITIONS[kind], item, kind, value, around)
        if options is None:
            return Value()
        with self.guard.nested(item.place):
            if kind in ("sequence", "repeat"):
                if name:
                    self.guard.claim(full, item.place, around.calls)
                return self.walk(item.lists["layers"], value, inside) if kind == "sequence" else self._repeat(item, options, value, inside)
            join, ways = {"dense": self._dense, "residual": self._residual, "branch": self._branch}[kind](item, options, value, inside)
        labels = {"residual": ["body", "shortcut"], "branch": [*item.slots]}.get(kind, [])
        return self._emit(_join(join, ways, labels), around.scope.full(name or around.scope.number()), ways, item.place, around)

    def _repeat(self, item: Item, options: Any, value: Value | None, around: Around) -> Value | None:
        columns = self._columns(item, value, around)
        turns = options.times if options.times is not None else len(next(iter(columns.values())))
        self.guard.count(item.place, turns)
        for index in range(turns):
            row = {name: column[index] for name, column in columns.items()}
            value = self.walk(item.lists["layers"], value, replace(around, values={**around.values, **row, "index": index}))
        return value

    def _columns(self, item: Item, value: Value | None, around: Around) -> dict[str, list[Any]]:
        over = item.options.entries.get("over") if isinstance(item.options, Mapping) else None
        columns: dict[str, list[Any]] = {}
        for name, node in over.entries.items() if isinstance(over, Mapping) else ():
            columns[name] = exact(substitute(node, Sight(around, value)))
            if not isinstance(columns[name], list):
                raise Misplaced(Mistake("wrong-type", f"the column `{name}` is {sort_of(columns[name])}, and must be a list"), node.place)
        if len({len(column) for column in columns.values()}) > 1:
            shown = ", ".join(f"{name} has {len(column)}" for name, column in columns.items())
            raise Misplaced(
                Mistake("columns", "the lists of `over` differ in length", "each turn takes one value of each", [shown]), item.place
            )
        return columns

    def _dense(self, item: Item, options: Any, value: Value | None, around: Around) -> tuple[str, list[Value]]:
        parts = [self._need(value, item.place)]
        for index in range(options.times):
            self.guard.count(item.place, len(parts))
            received = parts[0] if index == 0 else self._emit(_join("concat", parts), around.scope.join(), parts, item.place, around)
            turn = replace(around, values={**around.values, "index": index})
            parts = [*parts, self._need(self.walk(item.lists["layers"], received, turn), item.place)]
        return "concat", parts

    def _residual(self, item: Item, options: Any, value: Value | None, around: Around) -> tuple[str, list[Value]]:
        ways = []
        for key in ("body", "shortcut"):
            frame = Frame(around.frame.outer)
            ways.append(self._need(self.walk(item.lists.get(key, []), value, replace(around, frame=frame)), item.place))
            around.frame.values.update(frame.values)
            around.frame.inner.update(frame.inner)
        return "add", ways

    def _branch(self, item: Item, options: Any, value: Value | None, around: Around) -> tuple[str, list[Value]]:
        ways = []
        for name, slot in item.slots.items():
            path = self.net.patch.get(around.scope.full(name)) if not slot.single else None
            if path:
                self.patched.add(around.scope.full(name))
            frame = Frame(around.frame.outer)
            way = self._need(self._under(name, path or slot, value, replace(around, frame=frame)), slot.place)
            around.frame.values[name] = way
            around.frame.inner[name] = frame
            ways.append(way)
        return options.join, ways

    # blocks

    def _call(self, item: Item, block: BlockDefinition, full: str, value: Value | None, around: Around) -> Value | None:
        self.guard.claim(full, item.place, around.calls)
        self.scopes[full] = block.name
        calls = (*around.calls, Call(item.place, block.name, full))
        args = self._arguments(item, block, value, replace(around, values=self.vars, calls=calls), Sight(around, value))
        with self.guard.nested(item.place):
            inside = Around({**self.vars, **args}, Scope(full), Frame(), value, calls, around.only)
            return self.walk(block.layers, value, inside)

    def _arguments(self, item: Item, block: BlockDefinition, value: Value | None, inside: Around, outside: Sight) -> dict[str, Any]:
        """What is given is computed where the call stands; a default sees the arguments before it."""
        given = given_arguments(item, block)
        args: dict[str, Any] = {}
        for name, default in block.args.items():
            if name in given:
                args[name] = exact(substitute(given[name], outside))
                continue
            sight = Sight(replace(inside, values={**self.vars, **args}), value)
            try:
                args[name] = exact(substitute(default, sight))
            except Misplaced as found:
                self.findings.add(found.mistake.at(found.place, inside.calls))
                raise Unknown from None
        return args

    # names and values

    def _kind(self, item: Item, value: Value | None, around: Around) -> str:
        if not item.chooser:
            return item.kind
        kind = parse_value(item.chooser.raw).evaluate(Sight(around, value))
        if not isinstance(kind, str) or kind in MERGES or not (kind in KINDS or kind in self.net.blocks):
            shown = show_value(kind)
            if kind in MERGES or kind in COMPOSITIONS:
                raise Mistake("unknown-layer", f"`{shown}` cannot be chosen by a variable", "write it out, and choose with `when`")
            help = did_you_mean(shown, {*KINDS, *self.net.blocks}) or "`netc layers` lists them"
            raise Mistake("unknown-layer", f"there is no layer `{shown}`", help)
        return kind

    def _present(self, when: Written | None, value: Value | None, around: Around) -> bool:
        if when is None:
            return True
        truth = exact(substitute(when, Sight(around, value)))
        if not isinstance(truth, bool):
            raise Misplaced(
                Mistake("wrong-type", f"`when` is {sort_of(truth)}, and must be true or false", "compare it: $(depth > 1)"), when.place
            )
        return truth

    def _name(self, written: Scalar, value: Value | None, around: Around) -> str:
        name = self._filled(written, value, around)
        if not NAME.fullmatch(name):
            raise Misplaced(
                Mistake("name", f"`{name}` cannot be a name", "use letters, digits, _ and -, with at least one letter"), written.place
            )
        return name

    def _filled(self, written: Scalar, value: Value | None, around: Around) -> str:
        try:
            return fill(parse_template(written.raw), Sight(around, value))
        except Mistake as mistake:
            raise Misplaced(mistake, text_place(written)) from None

    def _ref(self, written: Scalar, above: Value | None, around: Around) -> Value:
        """The value that a REF names."""
        with self.guard.reported(written.place, around.calls):
            ref = self._filled(written, above, around)
            found = above if ref == "above" else around.received if ref == "input" and around.received else around.frame.find(ref)
            if found is None and around.frame.lost(ref):
                raise Unknown
            if found is None:
                raise Misplaced(self._unknown_ref(ref, around), written.place)
            return found
        return Value()

    def _unknown_ref(self, ref: str, around: Around) -> Mistake:
        if ref in ("above", "input"):
            return Mistake("unknown-name", f"`{ref}` means nothing here", f"say which value: {', '.join(around.frame.visible())}")
        known = {*around.frame.visible(), "above", "input"}
        facts = ["a name must stand above, in this list or in one around it, in the same block"]
        return Mistake("unknown-name", f"nothing above is called `{ref}`", did_you_mean(ref, known), facts)

    def _need(self, value: Value | None, place: Place) -> Value:
        if value is None and not self.net.inputs:
            raise Unknown
        if value is None:
            help = f"write from: {' or '.join(self.net.inputs)}"
            raise Misplaced(Mistake("unknown-name", "this net has several inputs: say which one comes in here", help), place)
        return value


def _join(kind: str, ways: list[Value], labels: Iterable[str] = ()) -> Layer:
    """The layer that joins values without names of their own; a label stands for what a mistake has left without a node."""
    names = [way.node.name if way.node else label for way, label in zip(ways, chain(labels, repeat("?")), strict=False)]
    layer: Layer = KINDS[kind](of=names)
    return layer


def check_loss(node: Node, loss: Loss) -> None:
    """A loss must fit the shape, and must not come behind the function that it contains."""
    loss.fits(node.shape)
    last = node
    while last.layer and (last.layer.view or last.kind == "dropout"):
        last = last.inputs[0]
    if loss.includes and last.kind == loss.includes:
        facts = [f"{last.name} at {last.place}"]
        raise Mistake(
            "scores", f"{loss.kind} takes scores, and contains the {last.kind} that stands in front of it", f"take `{last.kind}` out", facts
        )
