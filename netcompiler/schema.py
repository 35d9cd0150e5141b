"""The shape of a spec file: its top keys, items and compositions, as classes whose fields are the YAML keys.

The types marked Item lists, slots and so on are read by document.py; pydantic sees plain values only.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from netcompiler.losses import LOSSES
from netcompiler.options import (
    Arguments,
    BlockMap,
    Columns,
    Count,
    Expect,
    ItemList,
    Kind,
    NotNegative,
    OneOf,
    Options,
    OutputMap,
    Registry,
    SlotMap,
    Text,
    Values,
    Whole,
)
from netcompiler.recipe import Recipe

COMPOSITIONS = Registry("composition")


class Composition(Kind):
    """An item that holds items."""

    registry: ClassVar[Registry] = COMPOSITIONS


class Sequence(Composition):
    """Items one after another. With a name it opens a scope."""

    formula: ClassVar[str] = "y = the last layer of ... of the first layer of x"
    example: ClassVar[str] = "sequence: [linear: 4096, relu, dropout: 0.5]"

    layers: Annotated[Any, ItemList()] = Field(description="the items")


class Repeat(Composition):
    """Items again and again: `times` turns, or one turn for each row of the lists in `over`. `$index` is the turn, from 0."""

    formula: ClassVar[str] = "y = turn n - 1 of ... of turn 0 of x"
    example: ClassVar[str] = (
        "repeat: {over: {filters: [64, 128], kernel: [5, 3]}, layers: [conv: {filters: $filters, kernel: $kernel}, relu]}"
    )

    layers: Annotated[Any, ItemList()] = Field(description="the items of one turn")
    times: Annotated[Whole | None, Expect("a whole number, 0 or more")] = Field(None, description="how many turns")
    over: Annotated[Any, Columns()] = Field(None, description="lists of one length, by the name that their values have in a turn")


class Dense(Composition):
    """Each turn receives the concatenation of what the composition received and of all turns before it, and so does what follows."""

    formula: ClassVar[str] = "y = concat(x, turn 0, ..., turn n - 1)"
    example: ClassVar[str] = "dense: {times: 6, layers: [conv: {filters: 32, kernel: 3, padding: same}]}"

    times: Whole = Field(description="how many turns")
    layers: Annotated[Any, ItemList()] = Field(description="the items of one turn")


class Residual(Composition):
    """The sum of two lists over the same input."""

    formula: ClassVar[str] = "y = body(x) + shortcut(x)"
    example: ClassVar[str] = (
        "residual: [conv: {filters: 64, kernel: 3, padding: same}, relu, conv: {filters: 64, kernel: 3, padding: same}]"
    )

    body: Annotated[Any, ItemList()] = Field(description="the items whose result is added")
    shortcut: Annotated[Any, ItemList()] = Field(None, description="the items on the other way; without any it is x itself")


class Branch(Composition):
    """Several named paths over the same input, joined."""

    formula: ClassVar[str] = "y = join(path 0 of x, path 1 of x, ...)"
    example: ClassVar[str] = (
        "branch: {join: concat, paths: {left: {conv: {filters: 8, kernel: 1}}, right: [max_pool: {kernel: 3, stride: 1, padding: 1}]}}"
    )

    join: Annotated[Literal["concat", "add", "multiply"], Expect("one of concat, add, multiply")] = Field(description="how the paths meet")
    paths: Annotated[Any, SlotMap()] = Field(description="the paths by name: an item, or a list of items")


class Block(Options):
    """A group of layers under a name of its own, with arguments."""

    layers: Annotated[Any, ItemList()] = Field(description="the items of the block")
    args: Annotated[Any, Arguments()] = Field(None, description="arguments and their defaults; null: must be given")


class OutputOptions(Options):
    """What an output has beside its item."""

    loss: Annotated[Any, OneOf(LOSSES), Expect("a loss")] = Field(None, description="what training makes small")
    weight: NotNegative = Field(1.0, description="the share of this loss in the sum")
    target: Text | None = Field(None, description="the field of the data to compare with")
    only: Annotated[Literal["train"] | None, Expect("train")] = Field(None, description="`train`: not there in inference")


class Document(Options):
    """A spec file."""

    netc: Annotated[Literal[1], Expect("1, the version of the language")] = Field(description="the version of the language: 1")
    name: Text = Field(description="what reports and runs call the net")
    doc: Text | None = Field(None, description="what the net is, where it comes from")
    input: Annotated[
        list[Count] | None,
        Field(min_length=1, max_length=4),
        Expect("a list of sizes: [n], [channels, length], [channels, height, width] or [channels, depth, height, width]"),
    ] = Field(None, description="the shape of one input: [n], [C, T], [C, H, W] or [C, D, H, W]")
    inputs: Annotated[Any, Values()] = Field(None, description="several inputs: a shape for each name")
    vars: Annotated[Any, Values()] = Field(None, description="variables and their values, which variants and --set change")
    variants: Annotated[Any, Values()] = Field(None, description="named lists of settings: a variable, or the path of a value")
    blocks: Annotated[Any, BlockMap()] = Field(None, description="groups of layers with arguments; names start with a capital")
    layers: Annotated[Any, ItemList()] = Field(None, description="the net, first layer first")
    loss: Annotated[Any, OneOf(LOSSES), Expect("a loss")] = Field(None, description="the loss of the last layer")
    outputs: Annotated[Any, OutputMap()] = Field(None, description="several outputs by name, each with its loss")
    train: Recipe | None = Field(None, description="how to train it")
    extends: Text | None = Field(None, description="another spec that this one builds on: NAME[:VARIANT]")
    patch: Annotated[Any, SlotMap()] = Field(None, description="with extends: items to put in place of others, by full name")


ITEM_KEYS = {
    "name": "what the layer is called; its parameters start with it",
    "from": "the value that it receives, when it is not the one above",
    "when": "true or false: whether the item is there",
}
