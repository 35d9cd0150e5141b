"""Nodes of a file -> items, checked as written: kinds, options, names, what lies inside compositions."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from netcompiler.diagnostics import did_you_mean
from netcompiler.identifiers import Identifiers, Visible, block
from netcompiler.layers import KINDS
from netcompiler.net import MERGES, Item, Slot
from netcompiler.options import Columns, Formula, ItemList, SlotMap, Structure
from netcompiler.reader import Findings, fields_of, is_null, lacks, mark_of, read_fields, read_options
from netcompiler.schema import COMPOSITIONS, ITEM_KEYS
from netcompiler.source import Items, Mapping, Node, Place, Scalar

BLOCK = re.compile(r"[A-Z][A-Za-z0-9]*")
NAME = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9_-]{1,100}")
NAME_HELP = "use letters, digits, _ and -, with at least one letter"

TURNS = {
    "repeat": "write repeat: {{times: {0}, layers: […]}}",
    "dense": "write linear: {0} for a fully connected layer; dense joins layers with all that come before: {{times: …, layers: […]}}",
}
"""Help where one value stands for a composition of turns."""


class ItemReader:
    """Reads items. `calls` collects the block calls, each with the block that it stands in."""

    def __init__(self, identifiers: Identifiers, block_names: set[str]) -> None:
        self.identifiers = identifiers
        self.findings = identifiers.findings
        self.block_names = block_names
        self.inside = ""
        self.in_patch = False
        self.calls: list[tuple[str, Item]] = []

    def items(self, node: Node, visible: Visible) -> list[Item]:
        if not isinstance(node, Items):
            help = "start each layer with `- `" if isinstance(node, Mapping) else "write the layers as a list"
            if isinstance(node, Mapping) and all(key.startswith("-") for key in node.entries):
                help = "a dash needs a blank behind it"
            self.findings.error("wrong-type", node.place, "layers are a list", help)
            self.identifiers.mentioned(node, visible)
            return []
        read = (self.item(item, visible) for item in node.items)
        return [item for item in read if item]

    def slot(self, node: Node, visible: Visible) -> Slot:
        if isinstance(node, Items):
            return Slot(node.place, self.items(node, visible), False)
        item = self.item(node, visible)
        if item and item.name:
            self.findings.error("name", item.name.place, "this item has the name that it stands under", "take `name` out")
        return Slot(node.place, [item] if item else [], True)

    def item(self, node: Node, visible: Visible) -> Item | None:
        if isinstance(node, Scalar):
            return self._bare(node, visible)
        if not isinstance(node, Mapping):
            help = "write `sequence: [...]`, or take one `- ` away"
            self.findings.error("wrong-type", node.place, "a list stands where an item is expected", help)
            self.identifiers.mentioned(node, visible)
            return None
        kinds = [key for key in node.entries if key not in ITEM_KEYS]
        if len(kinds) != 1:
            self._wrong_kinds(node, kinds)
            self.identifiers.mentioned(node, visible)
            return Item(node.place, "", name=self._name(node, visible), broken=True)
        [kind] = kinds
        item = Item(node.key(kind), kind, node.entries[kind])
        if kind in MERGES:
            visible = replace(visible, receives=False)
        item.name, item.origin = self._name(node, visible), self.ref(node.entries.get("from"), visible)
        item.when = self.when(node.entries.get("when"), visible)
        self._by_kind(item, visible)
        return item

    def _bare(self, node: Scalar, visible: Visible) -> Item | None:
        if not isinstance(node.value, str):
            self.findings.error("wrong-type", node.place, f"`{node.raw}` is no layer", "an item is a kind, or {kind: options}")
            return None
        item = Item(node.place, node.value)
        if node.dynamic:
            self.identifiers.expressions(node, visible)
            item.kind, item.chooser = "", node
        elif not (self.in_patch and item.kind == "same"):
            self._by_kind(item, visible)
        return item

    # kinds

    def _wrong_kinds(self, node: Mapping, kinds: list[str]) -> None:
        unknown = [key for key in kinds if not self._known(key)]
        if not kinds:
            self.findings.error("no-kind", node.place, "this item has no kind", "name a layer: {conv: {…}, name: …}")
        elif unknown and len(unknown) < len(kinds):
            help = did_you_mean(unknown[0], ITEM_KEYS)
            place = node.key(unknown[0])
            first = next(key for key in kinds if key not in unknown)
            if first in KINDS and unknown[0] in fields_of(KINDS[first]):
                help = f"`{unknown[0]}` is an option of {first}: write {first}: {{…, {unknown[0]}: …}}"
            self.findings.error("unknown-option", place, f"an item has no key `{unknown[0]}`", help)
        elif unknown:
            self._unknown_kind(unknown[0], node.key(unknown[0]))
        else:
            message = f"an item has one kind, and this has {' and '.join(f'`{kind}`' for kind in kinds)}"
            self.findings.error("two-kinds", node.key(kinds[1]), message, "start each layer with a dash of its own")

    def _known(self, kind: str) -> bool:
        return kind in KINDS or kind in COMPOSITIONS or kind in self.block_names

    def _unknown_kind(self, kind: str, place: Place) -> None:
        self.identifiers.meant(kind, {name: block(name) for name in self.block_names})
        known = {*KINDS, *COMPOSITIONS, *self.block_names}
        if BLOCK.fullmatch(kind):
            help = did_you_mean(kind, {*self.block_names, *KINDS}) or "define it under `blocks`"
            self.findings.error("unknown-block", place, f"there is no block `{kind}`", help)
        else:
            help = _slip(kind, known) or did_you_mean(kind, known) or "`netc layers` lists them"
            self.findings.error("unknown-layer", place, f"there is no layer `{kind}`", help)

    def _by_kind(self, item: Item, visible: Visible) -> None:
        before = self.findings.errors
        if item.kind in KINDS:
            self._layer(item, visible)
            item.broken = self.findings.errors > before
        elif item.kind in COMPOSITIONS:
            self._composition(item, visible)
        elif item.kind in self.block_names:
            self._call(item, visible)
            item.broken = self.findings.errors > before
        else:
            self._unknown_kind(item.kind, item.place)
            self.identifiers.mentioned(item.options, visible)
            item.broken = True

    # layers

    def _layer(self, item: Item, visible: Visible) -> None:
        model = KINDS[item.kind]
        self._options(model, item.options, visible)
        item.layer = read_options(model, item.options, item.place, item.kind, self.findings)
        if item.kind in MERGES:
            self._merge(item, visible)
        if item.layer and any(mark_of(option, Formula) for option in fields_of(model).values()):
            item.layer = None  # variables in a formula get their values in expand.py

    def _merge(self, item: Item, visible: Visible) -> None:
        """Names to merge may have `$` inside; there is no `from`."""
        of = item.options.entries.get("of") if isinstance(item.options, Mapping) else item.options
        for ref in of.items if isinstance(of, Items) else ():
            if isinstance(ref, Scalar) and not ref.dynamic:
                self.identifiers.template(ref, visible)
        if item.origin:
            message = f"`{item.kind}` takes what `of` names, and no `from`"
            self.findings.error("merge-from", item.origin.place, message, "put the name into `of`")
            item.origin = None

    def _options(self, model: Any, node: Node | None, visible: Visible) -> None:
        """Every name that options use, in `$` and in formulas."""
        if node is None:
            return
        for key in (key for key, option in fields_of(model).items() if mark_of(option, Formula)):
            text = node.entries.get(key) if isinstance(node, Mapping) else node
            if isinstance(text, Scalar) and isinstance(text.value, str):
                self.identifiers.formula(text, visible)
        self.identifiers.expressions(node, visible)

    # compositions and calls

    def _composition(self, item: Item, visible: Visible) -> None:
        before = self.findings.errors
        if item.kind in TURNS and isinstance(item.options, Scalar) and not is_null(item.options):
            message, help = f"{item.kind} needs more than one value: times, layers", TURNS[item.kind].format(item.options.raw)
            self.findings.error("short-form", item.options.place, message, help)
            self.identifiers.mentioned(item.options, visible)
            item.broken = True
            return
        model = COMPOSITIONS[item.kind]
        read_options(model, item.options, item.place, item.kind, self.findings)
        mapping = read_fields(model, item.options, item.place, item.kind, Findings())
        if mapping is None or lacks(model, mapping):
            self.identifiers.mentioned(item.options, visible)
            item.broken = True
            return
        item.options = mapping
        inner = Visible(dict(visible.ids), visible.receives, True) if item.kind in ("repeat", "dense") else visible
        if item.kind == "repeat" and ("times" in mapping.entries) == ("over" in mapping.entries):
            help = "times: how many turns; over: {name: [a value for each turn]}"
            self.findings.error("repeat", item.place, "a repeat has either `times` or `over`", help)
        fields = fields_of(model)
        for key, node in mapping.entries.items():
            if mark_of(fields[key], Columns):
                self._columns(node, visible, inner)
            elif not mark_of(fields[key], Structure):
                self.identifiers.expressions(node, visible)
        item.broken = self.findings.errors > before  # mistakes inside its lists are those of the items there
        for key, node in mapping.entries.items():
            if mark_of(fields[key], ItemList):
                item.lists[key] = self.items(node, inner)
            elif mark_of(fields[key], SlotMap):
                item.slots = self._paths(node, inner)
                item.broken = item.broken or not item.slots

    def _columns(self, node: Node, visible: Visible, inner: Visible) -> None:
        if not isinstance(node, Mapping) or not node.entries:
            help = "write over: {filters: [64, 128]}"
            self.findings.error("wrong-type", node.place, "over is a mapping of names to lists", help)
            self.identifiers.mentioned(node, visible)
            return
        for name, values in node.entries.items():
            self.identifiers.expressions(values, visible)
            if not isinstance(values, Items) and not values.dynamic:
                help = f"write {name}: [one value for each turn]"
                self.findings.error("wrong-type", values.place, f"the column `{name}` must be a list", help)
            self.identifiers.declare(name, node.key(name), ("column", str(node.key(name)), name), inner.ids)

    def _paths(self, node: Node, visible: Visible) -> dict[str, Slot]:
        if not isinstance(node, Mapping) or len(node.entries) < 2:
            help = "write paths: {left: […], right: […]}"
            self.findings.error("wrong-type", node.place, "paths is a mapping of two names or more to items", help)
            self.identifiers.mentioned(node, visible)
            return {}
        for name in node.entries:
            self.check_name(name, node.key(name))
        return {name: self.slot(value, visible) for name, value in node.entries.items()}

    def _call(self, item: Item, visible: Visible) -> None:
        self.identifiers.uses.used.add(block(item.kind))
        self.calls.append((self.inside, item))
        if item.options is not None:
            self.identifiers.expressions(item.options, visible)

    # name, from, when

    def check_name(self, name: str, place: Place) -> None:
        if not NAME.fullmatch(name):
            help = "use at most 100 characters" if len(name) > 100 else NAME_HELP
            self.findings.error("name", place, f"`{name}` cannot be a name", help)

    def _name(self, item: Mapping, visible: Visible) -> Scalar | None:
        node = item.entries.get("name")
        if isinstance(node, Scalar) and node.value is not None and not isinstance(node.value, str):
            self.findings.error("name", node.place, f"`{node.raw}` cannot be a name", NAME_HELP)
            return None
        text = self._text(node, "name", visible)
        if text and "$" not in text.raw:
            self.check_name(text.raw, text.place)
        return text

    def ref(self, node: Node | None, visible: Visible) -> Scalar | None:
        return self._text(node, "from", visible)

    def _text(self, node: Node | None, key: str, visible: Visible) -> Scalar | None:
        if node is None:
            return None
        if not isinstance(node, Scalar) or not isinstance(node.value, str):
            self.findings.error("wrong-type", node.place, f"`{key}` is a text", f"write {key}: and a name")
            return None
        self.identifiers.template(node, visible)
        return node

    def when(self, node: Node | None, visible: Visible) -> Node | None:
        if node is None:
            return None
        if not isinstance(node, Scalar) or not (node.dynamic or isinstance(node.value, bool)):
            self.findings.error("wrong-type", node.place, "`when` is true, false, or an expression", "write when: $(depth > 1)")
            return None
        self.identifiers.expressions(node, visible)
        return node


def _slip(kind: str, known: set[str]) -> str:
    """Help where a blank or a dash was forgotten: `dropout:0.5`, `-conv`, `conv 3`."""
    word, _, value = (part.strip() for part in kind.replace(" ", ":", 1).partition(":"))
    if word in known and value:
        return f"write `{word}: {value}`, with a colon and a blank behind `{word}`"
    if kind.startswith("-"):
        return f"write `- {kind.lstrip('-')}`, with a blank behind the dash"
    return ""
