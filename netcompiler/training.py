"""The recipe against the net: what only shows when both are known. Its own options are checked in recipe/."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from netcompiler.diagnostics import Mistake, did_you_mean
from netcompiler.graph import Graph, Output
from netcompiler.graph import Node as GraphNode
from netcompiler.layers.layer import show
from netcompiler.losses import Loss
from netcompiler.reader import Findings, option_place
from netcompiler.recipe import Augmentation, Recipe
from netcompiler.recipe.families import Column
from netcompiler.source import Items, Mapping, Node, Place


def check_training(recipe: Recipe, train: Mapping, place: Place, graph: Graph, findings: Findings) -> None:
    """`train` is the section as written, with values in place of `$`; `place` is its key."""
    _Check(recipe, train, place, graph, findings).all()


class _Check:
    def __init__(self, recipe: Recipe, train: Mapping, place: Place, graph: Graph, findings: Findings) -> None:
        self.recipe = recipe
        self.train = train
        self.place = place
        self.graph = graph
        self.findings = findings
        self.names = {name for node in graph if node.parameters for name in _beginnings(node.name)}

    def all(self) -> None:
        if not any(output.loss for output in self.graph.outputs):
            self.findings.error("no-loss", self.place, "there is nothing to train: no output has a loss", "add loss: cross_entropy, or l2")
        self.pictures()
        self.layers()
        if self.recipe.data:
            self.data(self.recipe.data.yields())

    @contextmanager
    def at(self, *path: str | int) -> Iterator[None]:
        """Mistakes are reported at the end of a path through the section, or at the option that they name."""
        try:
            yield
        except Mistake as mistake:
            node, place = _follow(self.train, self.place, path)
            options = next(iter(node.entries.values()), None) if isinstance(node, Mapping) else node
            self.findings.add(mistake.at(option_place(options, mistake.option) or place))

    def pictures(self) -> None:
        for given in self.graph.inputs[:1]:
            if self.recipe.normalize:
                with self.at("normalize"):
                    self.recipe.normalize.fits(given.shape)
            for index, augmentation in enumerate(self.recipe.augment):
                with self.at("augment", index):
                    augmentation.fits(given.shape)
                    self._stays(augmentation)

    def _stays(self, augmentation: Augmentation) -> None:
        """What a target says of places is no longer true of a picture that was moved."""
        for output in self.graph.outputs if augmentation.moves else ():
            if output.loss and output.node.shape[1:]:
                raise Mistake(
                    "augment-target",
                    f"{augmentation.kind} moves what is in the pictures, and the targets of {output.name} are maps that stay as they are",
                    "leave it out; color_jitter, erasing and mixup move nothing",
                    [f"target: {show(output.loss.target(output.node.shape))}"],
                )

    # settings of layers

    def layers(self) -> None:
        for name, settings in self.recipe.layers.items():
            with self.at("layers", name):
                self._known(name)
            inside = [node for node in self.graph if f"{node.name}.".startswith(f"{name}.")]
            for option, biases in (("init", False), ("bias_init", True)):
                with self.at("layers", name, option):
                    _fits_all(getattr(settings, option), inside, biases)
        for index, name in enumerate(self.recipe.fresh or ()):
            with self.at("fresh", index):
                self._known(name)
        with self.at("init"):
            _fits_all(self.recipe.init, [node for node in self.graph if node.layer and node.layer.weighted], False)

    def _known(self, name: str) -> None:
        if name not in self.names:
            raise Mistake("unknown-name", f"no layer with parameters is called `{name}`", did_you_mean(name, self.names))

    # fields of the data

    def data(self, columns: dict[str, Column]) -> None:
        fields = [name for name, column in columns.items() if not column.target]
        for given in self.graph.inputs:
            with self.at("data"):
                only = len(fields) == 1 == len(self.graph.inputs)
                _fits_input(given, fields[0] if only else given.name, {name: columns[name] for name in fields})
        targets = [name for name, column in columns.items() if column.target]
        for output in self.graph.outputs:
            if isinstance(output.loss, Loss):
                field = output.target or (targets[0] if len(targets) == 1 else output.name)
                try:
                    self.target(output, output.loss, field, columns)
                except Mistake as mistake:
                    self.findings.add(mistake.at(output.place))

    def target(self, output: Output, loss: Loss, field: str, columns: dict[str, Column]) -> None:
        """The output fits the field that it is compared with."""
        if field not in columns:
            help = did_you_mean(field, columns) or "name a field with `target`"
            raise Mistake("data", f"the data has no field `{field}` to compare {output.name} with", help)
        column, shape, given = columns[field], output.node.shape, self.graph.inputs[0].shape
        facts = [f"output: {show(shape)}", f"field: {field}"]
        if loss.picks and column.classes and column.classes != shape[0]:
            message = f"the data has {column.classes:,} classes, and the output has {shape[0]:,}"
            note = Mistake("classes", message, "training needs one output for each class", facts)
            self.findings.add(note.at(output.place, severity="note"))
        if not column.target and not loss.picks and shape != given:
            message = f"{loss.kind} compares equal shapes, and meets {show(shape)} and {show(given)}"
            raise Mistake("data", message, "give the output the shape of the input", facts)


def _fits_all(init: Any, nodes: list[GraphNode], biases: bool) -> None:
    for parameter in (p for node in nodes for p in node.parameters if p.learnable) if init else ():
        if parameter.name.endswith("bias") == biases:
            init.fits(parameter.shape)


def _fits_input(given: GraphNode, field: str, columns: dict[str, Column]) -> None:
    if field not in columns:
        raise Mistake("data", f"the data has no field `{field}` for the input of this name", did_you_mean(field, columns))
    shape = columns[field].shape
    if shape is None or shape[0] is None:
        return
    channels = f"{shape[0]} channel{'s' * (shape[0] != 1)}"
    facts = [f"input: {show(given.shape)}", f"{field}: {channels}"]
    if len(shape) == len(given.shape) and shape[0] != given.shape[0]:
        message = f"the pictures have {channels}, and the net reads {given.shape[0]}"
        raise Mistake("data", message, f"change `input` to {channels}, or take other data", facts)
    sides = [n for n in shape if n is not None]
    if len(shape) != len(given.shape) and len(sides) == len(shape) and math.prod(sides) != math.prod(given.shape):
        raise Mistake("data", f"the data's {show(sides)} does not fill an input of {show(given.shape)}", f"write input: {sides}")


def _beginnings(name: str) -> Iterator[str]:
    parts = name.split(".")
    return (".".join(parts[:n]) for n in range(1, len(parts) + 1))


def _follow(node: Node, place: Place, path: tuple[str | int, ...]) -> tuple[Node, Place]:
    """The node at the end of a path, and its place: that of its key, where it has one."""
    for step in path:
        if isinstance(node, Mapping) and step in node.entries:
            place = node.key(str(step))
            node = node.entries[str(step)]
        elif isinstance(node, Items) and isinstance(step, int):
            node = node.items[step]
            place = node.place
    return node, place
