"""A file as read: items, blocks, inputs and outputs, each with its place. Nothing is expanded yet.

Read next: document.py and items.py, which make it; expand.py, which walks over it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from netcompiler.diagnostics import Mistake, did_you_mean
from netcompiler.layers.layer import Layer
from netcompiler.reader import is_null
from netcompiler.source import Mapping, Node, Place, Scalar
from netcompiler.values import Misplaced

MERGES = {"concat", "add", "multiply"}


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
    """A whole file."""

    tree: Mapping
    vars: dict[str, Node]
    inputs: dict[str, tuple[Node, Place]]
    blocks: dict[str, BlockDefinition] = field(default_factory=dict)
    layers: list[Item] = field(default_factory=list)
    outputs: dict[str, OutputDefinition] = field(default_factory=dict)
    patch: dict[str, Slot] = field(default_factory=dict)


def given_arguments(item: Item, block: BlockDefinition) -> dict[str, Node]:
    """The arguments of a call by name: the short form written out, unknown and missing ones refused."""
    options = item.options
    required = [name for name, default in block.args.items() if is_null(default)]
    given: dict[str, Node] = {}
    if isinstance(options, Mapping):
        given = options.entries
    elif options is not None and not is_null(options):
        if len(required) != 1:
            words = ", ".join(block.args)
            help = f"write {block.name}: {{argument: value}}; its arguments: {words}" if words else f"write `{block.name}` alone"
            message = f"{block.name} does not take a single value" if words else f"{block.name} has no arguments"
            raise Misplaced(Mistake("short-form", message, help, [f"the block is at {block.place}"]), options.place)
        given = {required[0]: options}
    for name, node in given.items():
        place = options.key(name) if isinstance(options, Mapping) else item.place
        if name not in block.args:
            help = did_you_mean(name, block.args) or "it has none"
            facts = [f"the block is at {block.place}"]
            raise Misplaced(Mistake("unknown-argument", f"{block.name} has no argument `{name}`", help, facts), place)
        if is_null(node):
            help = f"write one after the colon, or leave `{name}` out"
            raise Misplaced(Mistake("null", f"the argument `{name}` has no value", help), place)
    missing = [name for name in required if name not in given]
    if missing:
        words = " and ".join(f"`{name}`" for name in missing)
        help = f"write {block.name}: {{{', '.join(f'{name}: …' for name in required)}}}"
        raise Misplaced(Mistake("missing-argument", f"{block.name} needs {words}", help, [f"the block is at {block.place}"]), item.place)
    return given
