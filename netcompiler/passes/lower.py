"""Graph -> plan: layers, losses and metrics as instructions; the forward half of every program.

Nothing here is a derivative. Read next: differentiate.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import reduce

from netcompiler.builder import Builder
from netcompiler.diagnostics import Mistake, SpecError
from netcompiler.graph import Graph, Node, Output
from netcompiler.instructions.op import Shape
from netcompiler.losses import Loss
from netcompiler.losses.classification import LABEL
from netcompiler.lowering import Lowering
from netcompiler.metrics import metrics
from netcompiler.passes.simplify import without_dead
from netcompiler.pictures import Pictures, slot_sides
from netcompiler.plan import Plan, Program, State, Value
from netcompiler.recipe import Recipe
from netcompiler.scalar import add, compare, index, operand, select, wrap
from netcompiler.tensors import tensors

MODES = ("train", "infer")

LOOK = "look"
"""A mode, and its program: the first input as training's first layer reads it."""

EVALUATE = "evaluate"
"""A mode for weights that are only measured: of training's programs those that change nothing, with the same numbers."""

TRAINING = ("step", "accumulate", "gradients")
"""Programs in which layers behave as in training; `gradients` is a step that changes nothing, and optimise.py makes it of the step."""


NO_LOSS = Mistake("no-loss", "there is nothing to train: no output has a loss", "add loss: cross_entropy, or l2")


def walks(mode: str, recipe: Recipe) -> tuple[str, ...]:
    """The programs that are written node by node. Without an optimizer nothing can be changed, only measured."""
    if mode != "train":
        return (mode,)
    if recipe.optimizer is None:
        return ("gradients", "evaluate")
    return ("accumulate" if recipe.accumulate > 1 else "step", "evaluate")


def lower(graph: Graph, recipe: Recipe | None, mode: str, batch: int, target: str, dtype: str, bytes: bool = False) -> Plan:
    """With `bytes` the pictures are fed as bytes, 0 to 255 for 0 to 1."""
    recipe = recipe or Recipe()
    if mode in ("train", EVALUATE) and not any(output.loss for output in graph.outputs):
        raise SpecError(NO_LOSS.at(graph.outputs[0].place))
    states: dict[str, State] = {}
    slot = slot_sides(recipe, graph.inputs[0], mode)
    programs = [
        program
        for name in walks(mode, recipe)
        for program in _Walk(graph, recipe, Lowering(Builder(dtype), states, batch, name in (*TRAINING, LOOK)), name).programs(slot, bytes)
    ]
    spec = f"{graph.name}:{graph.variant}" if graph.variant else graph.name
    return Plan(spec, mode, batch, target, dtype, states, {program.name: program for program in programs}, classes=_classes(graph))


def _classes(graph: Graph) -> dict[str, int]:
    return {f"target.{output.name}": output.node.shape[0] for output in graph.outputs if output.loss and output.loss.picks}


class _Walk:
    """Every node once, in the order of the graph: one program, or two that differ in what comes out."""

    def __init__(self, graph: Graph, recipe: Recipe, at: Lowering, program: str) -> None:
        self.graph = graph
        self.recipe = recipe
        self.name = program
        self.training = at.training
        self.at, self.b = at, at.b
        self.values: dict[Node, Value] = {}
        self.outputs: dict[str, Value] = {}

    def programs(self, slot: Shape, bytes: bool) -> Iterator[Program]:
        """What is measured begins as inference does."""
        first, *others = self.graph.inputs
        self.pictures = Pictures(self.at, self.recipe, first, slot, bytes)
        self.values[first] = self._first()
        if self.name == LOOK:
            yield Program(LOOK, tuple(self.b.instructions), {first.name: self.values[first]})
            return
        for node in others:
            shape = (self.at.batch, *node.shape[1:], node.shape[0])
            self.values[node] = self.at.state(f"in.{node.name}", "inputs", self.b.dtype, shape).value
        for node in self._nodes():
            self._node(node)
        answers = {output.name: self.values[output.node] for output in self._given()}
        if self.name != "infer":
            self._losses()
            yield self._program(self.name, self.outputs)
        if self.name in ("evaluate", "infer"):
            yield self._program("infer", answers)

    def _program(self, name: str, outputs: Mapping[str, Value]) -> Program:
        successors = self.at.successors if name in ("step", "accumulate") else {}
        return without_dead(Program(name, tuple(self.b.instructions), outputs, successors, between=self._between()))

    def _between(self) -> frozenset[Value]:
        """What layers give to layers."""
        return frozenset(self.values[x] for node in self._nodes() for x in node.inputs)

    def _first(self) -> Value:
        """The first input, as its layers read it: in training augmented, else the middle of each picture."""
        for augmentation in self.recipe.augment if self.training else ():
            self.b.origin = f"augment {augmentation.kind}"
            augmentation.lower(self.pictures)
        if not self.training:
            self.b.origin = "input"
            self.pictures.centre()
        self.b.origin = "normalize" if self.pictures.scale else "input"
        return self.pictures.normalized()

    def _given(self) -> list[Output]:
        return [output for output in self.graph.outputs if self.training or output.only != "train"]

    def _nodes(self) -> Iterable[Node]:
        return (node for node in self.graph if self.training or node.only != "train")

    def _node(self, node: Node) -> None:
        """A frozen layer with state behaves as in inference: it neither changes nor measures."""
        assert node.layer
        self.at.name = node.name
        self.at.tensors = tensors(node, self.recipe)
        self.at.training = self.training and not (node.parameters and self.recipe.settings(node.name).freeze)
        self.b.origin = f"{node.place.source.name}:{node.place.line} {node.name}"
        self.values[node] = node.layer.lower(self.at, *(self.values[x] for x in node.inputs))

    def _losses(self) -> None:
        """The mean over the pictures of each loss, added by weight, and metrics of what inference gives too."""
        terms: list[tuple[float, Value]] = []
        for output in self._given():
            if output.loss is None:
                continue
            y = self.values[output.node]
            self.b.origin = f"{output.place.source.name}:{output.place.line} {output.name}"
            self.at.name = output.name
            target = self._target(output, output.loss, y)
            terms.append((output.weight, self.at.mean_of_rows(output.loss.lower(self.at, y, target))))
            if self.name != "gradients" and output.only != "train":
                self._metrics(output, output.loss, y, target)
        if terms:
            total = reduce(add, [weight * operand(i) for i, (weight, _) in enumerate(terms)])
            self.outputs = {"loss": self.at.map(total, *(value for _, value in terms)), **self.outputs}

    def _metrics(self, output: Output, loss: Loss, y: Value, target: Value) -> None:
        """By name; where several outputs are measured, each has its own in front."""
        measured = [each for each in self.graph.outputs if each.loss and each.only != "train"]
        prefix = "" if len(measured) == 1 else f"{output.name}."
        found = metrics(self.at, self.recipe, loss, loss.answer(self.at, y), target)
        self.outputs.update({prefix + name: value for name, value in found.items()})

    def _target(self, output: Output, loss: Loss, y: Value) -> Value:
        """The number of a class with 1 in the place of the channels, or numbers in the shape of the output.

        Augmentations that mix pictures turn the class into a share for each."""
        dtype, shape = (LABEL, (*y.shape[:-1], 1)) if loss.picks else (self.b.dtype, y.shape)
        target = self.at.state(f"target.{output.name}", "inputs", dtype, shape).value
        if not self.pictures.mixes:
            return target
        if loss.picks and not loss.soft:
            mixing = next(augmentation.kind for augmentation in self.recipe.augment if augmentation.mixes)
            raise SpecError(_unmixable(loss, mixing).at(output.place))
        if loss.picks:
            own = compare("eq", index(len(y.shape) - 1), operand(0))
            target = self.at.map(select(own, wrap(1), wrap(0)), target, shape=y.shape)
        return self.pictures.mixed(target)


def _unmixable(loss: Loss, augmentation: str) -> Mistake:
    return Mistake(
        "loss-target",
        f"{loss.kind} takes the number of a class, and {augmentation} mixes classes",
        f"take cross_entropy, or leave {augmentation} out",
    )
