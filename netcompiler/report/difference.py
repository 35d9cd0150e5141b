"""Two nets, layer by layer: what is only in one, and what differs in a layer that both have.

Layers whose names say which they are are matched by them. Between them layers are matched in order, by kind, options and name
without its numbers, so that a layer put in does not make all the following ones different.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from itertools import groupby
from typing import NamedTuple, TypeAlias

from netcompiler.diagnostics import Style
from netcompiler.footprint import Footprint
from netcompiler.graph import Graph, Node
from netcompiler.layers.layer import show
from netcompiler.report import figures, summary
from netcompiler.report.columns import Column, as_lines, fit
from netcompiler.report.description import MERGED, described, value_text
from netcompiler.report.rows import scope
from netcompiler.totals import Totals, macs, totals

Pair: TypeAlias = tuple[Node | None, Node | None]


class Change(NamedTuple):
    sign: str
    name: str
    text: str


def changes(a: Graph, b: Graph, depth: int | None = 2) -> list[Change]:
    """Layers that only one net has are folded where their whole scope is."""
    pairs = list(aligned(a, b))
    partner = {old: new for old, new in pairs if old}
    above = _above(a) | _above(b)
    found: list[Change] = []
    for sign, run in groupby(pairs, _sign):
        if sign == "~":
            found += [change for old, new in run if old and new and (change := _changed(old, new, partner, above))]
        else:
            net = a if sign == "-" else b
            nodes = [node for pair in run for node in pair if node]
            found += [Change(sign, name, _only(net, name, some)) for name, some in _folded(net, nodes, depth)]
    return found + list(_outputs(a, b))


def aligned(a: Graph, b: Graph) -> Iterator[Pair]:
    """Pairs of layers in the order of both; None where one net has no such layer."""
    named = {node: (node.name, node.kind) for net in (a, b) for node in net if _is_named(node.name, net.scopes)}
    return _aligned([*a.inputs, *a], [*b.inputs, *b], (lambda node: named.get(node, node), _exact, _loose))


def _aligned(a: Sequence[Node], b: Sequence[Node], keys: Sequence[Callable[[Node], object]]) -> Iterator[Pair]:
    """Runs with equal keys are pairs; what lies between them is left to the other keys."""
    if not keys or not a or not b:
        yield from ((old, None) for old in a)
        yield from ((None, new) for new in b)
        return
    for same, olds, news in _runs(a, b, keys[0]):
        yield from zip(olds, news, strict=True) if same else _aligned(olds, news, keys[1:])


def _runs(a: Sequence[Node], b: Sequence[Node], key: Callable[[Node], object]) -> Iterator[tuple[bool, Sequence[Node], Sequence[Node]]]:
    matcher = SequenceMatcher(None, [key(node) for node in a], [key(node) for node in b], autojunk=False)
    for tag, begin, end, first, last in matcher.get_opcodes():
        yield tag == "equal", a[begin:end], b[first:last]


def _is_named(name: str, scopes: Mapping[str, str]) -> bool:
    """Whether a name says which layer this is: its numbers are turns of a repeat, or places in a block, and nothing else shifts them."""
    parts = name.split(".")
    around = [scopes.get(".".join(parts[:at]), "") for at, part in enumerate(parts) if part.isdigit()]
    return all(what == "repeat" or what[:1].isupper() for what in around)


def _exact(node: Node) -> object:
    return _loose(node), described(node.layer) if node.layer else show(node.shape)


def _loose(node: Node) -> object:
    return tuple(part for part in node.name.split(".") if not part.isdigit()), node.kind


def _sign(pair: Pair) -> str:
    old, new = pair
    return "~" if old and new else "-" if old else "+"


def _above(net: Graph) -> dict[Node, Node]:
    """The layer written before each one."""
    nodes = [*net.inputs, *net]
    return dict(zip(nodes[1:], nodes, strict=False))


def _changed(old: Node, new: Node, partner: Mapping[Node, Node | None], above: Mapping[Node, Node]) -> Change | None:
    facts = [*_options(old, new), *_inputs(old, new, partner, above)]
    facts += _turned("output", show(old.shape), show(new.shape))
    facts += _turned("params", f"{old.params:,}", f"{new.params:,}")
    facts += _turned("MACs", f"{macs([old]):,}", f"{macs([new]):,}")
    name = new.name if old.name == new.name else f"{old.name} -> {new.name}"
    what = f"{new.kind}: " if new.layer else ""
    return Change("~", name, what + "; ".join(facts)) if facts else None


def _options(old: Node, new: Node) -> Iterator[str]:
    if old.layer is None or new.layer is None:
        return
    for option in type(new.layer).model_fields:
        if option != MERGED:  # names, which _inputs compares
            yield from _turned(option, value_text(getattr(old.layer, option)), value_text(getattr(new.layer, option)))


def _inputs(old: Node, new: Node, partner: Mapping[Node, Node | None], above: Mapping[Node, Node]) -> Iterable[str]:
    """A layer that reads the one above in both nets reads the same, whatever stands there."""
    if (_reads_above(old, above) and _reads_above(new, above)) or [partner.get(x) for x in old.inputs] == list(new.inputs):
        return ()
    return _turned("input", ", ".join(x.name for x in old.inputs), ", ".join(x.name for x in new.inputs))


def _reads_above(node: Node, above: Mapping[Node, Node]) -> bool:
    return [above.get(node)] == list(node.inputs)


def _turned(what: str, old: str, new: str) -> list[str]:
    return [f"{what} {old} -> {new}"] if old != new else []


def _folded(net: Graph, nodes: list[Node], depth: int | None) -> Iterator[tuple[str, list[Node]]]:
    for name, group in groupby(nodes, lambda node: scope(node.name, depth)):
        some = list(group)
        whole = sum(scope(node.name, depth) == name for node in net)
        if len(some) == whole > 1:
            yield name, some
        else:
            yield from ((node.name, [node]) for node in some)


def _only(net: Graph, name: str, nodes: Sequence[Node]) -> str:
    first = nodes[0]
    what = described(first.layer) if first.layer else f"input {show(first.shape)}"
    if len(nodes) > 1:
        what = f"{net.scopes.get(name, '')}, {len(nodes)} layers".lstrip(", ")
    params, products = sum(node.params for node in nodes), macs(nodes)
    return "; ".join([what, *([f"{params:,} params"] if params else []), *([f"{products:,} MACs"] if products else [])])


def _outputs(a: Graph, b: Graph) -> Iterator[Change]:
    old, new = ({output.name: summary.output_text(output) for output in net.outputs} for net in (a, b))
    for name in dict.fromkeys([*old, *new]):
        if name not in new:
            yield Change("-", name, f"output {old[name]}")
        elif name not in old:
            yield Change("+", name, f"output {new[name]}")
        elif old[name] != new[name]:
            yield Change("~", name, f"output {old[name]} -> {new[name]}")


TINTS = {"+": "green", "-": "red", "~": "yellow"}


def as_text(a: Graph, b: Graph, found: Sequence[Change], memories: tuple[Footprint, Footprint], width: int | None, style: Style) -> str:
    facts = [(f"{change.sign} {change.name}", change.text) for change in found]
    lines = summary.as_text(facts, width, Style()) if facts else ["The layers are the same."]
    tinted = [style(TINTS[line[0]], line) if line[0] in TINTS else line for line in lines]
    return "\n".join([*tinted, "", *_totals_table(a, b, memories, width, style)]) + "\n"


def _totals_table(a: Graph, b: Graph, memories: tuple[Footprint, Footprint], width: int | None, style: Style) -> list[str]:
    old, new = totals(a), totals(b)
    rows = [(figure, before, after, f"{before:,}", f"{after:,}") for figure, before, after in zip(Totals._fields, old, new, strict=True)]
    rows += [
        (f"{use} memory, about", before, after, figures.size(before), figures.size(after))
        for use in ("inference", "training")
        for before, after in [tuple(getattr(memory, use) for memory in memories)]
    ]
    columns = (
        Column("", tuple(NAMES.get(row[0], row[0]) for row in rows), tint="bold"),
        Column(summary.title(a), tuple(row[3] for row in rows), right=True),
        Column(summary.title(b), tuple(row[4] for row in rows), right=True),
        Column("change", tuple(_ratio(row[1], row[2]) for row in rows), right=True),
    )
    return as_lines(fit([columns, columns[:3]], width), style)


NAMES = {"macs": "MACs", "flops": "FLOPs"}


def _ratio(before: int, after: int) -> str:
    return "" if before == after or not before else f"{100 * (after - before) / before:+.1f}%"
