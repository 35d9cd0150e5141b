"""Losses that choose among classes. Over maps they choose at each position, and the mean over the positions counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from netcompiler.diagnostics import Mistake
from netcompiler.losses.loss import Loss
from netcompiler.options import Expect, MaybePositive, NotNegative, Positive, Share
from netcompiler.scalar import Expr, compare, index, operand, relu, select, unary, wrap

if TYPE_CHECKING:
    from netcompiler.layers.layer import Shape
    from netcompiler.lowering import Lowering
    from netcompiler.plan import Value

LABEL = "i32"
"""How a number of a class is given; anything else is a share for each class."""


def is_class(channel: int) -> Expr:
    """Whether the element's channel is the class that operand 1 names."""
    return compare("eq", index(channel), operand(1))


class _Picks(Loss):
    """One class of two or more is right."""

    picks = True

    def fits(self, y: Shape) -> None:
        if y[0] < 2:
            raise Mistake(
                "loss-shape",
                f"{self.kind} chooses among 2 or more classes, and the output has one {'map' if y[1:] else 'score'}",
                "take binary_cross_entropy for one score, or give the last layer one output for each class",
                [f"output: {'x'.join(map(str, y))}"],
            )


class CrossEntropy(_Picks):
    """Soft-max with cross-entropy: minus the logarithm of the probability that the scores give to the right class."""

    formula = "L = -sum over k of w[k] * t[k] * log(softmax(x)[k]);  t[k] = (1 - smoothing) * (k == class) + smoothing / classes"
    example = "loss: {cross_entropy: {smoothing: 0.1}}"
    includes = "softmax"
    soft = True

    smoothing: Share = Field(0, description="share of the target that is spread evenly over all classes")
    class_weights: Annotated[list[NotNegative] | None, Field(min_length=2), Expect("a list with a number, 0 or more, for each class")] = (
        Field(None, description="w: a factor for each class, without it 1; the mean still divides by the number of pictures")
    )

    def fits(self, y: Shape) -> None:
        super().fits(y)
        if self.class_weights is not None and len(self.class_weights) != y[0]:
            raise Mistake(
                "loss-shape",
                f"class_weights has {len(self.class_weights)} entries, and the output has {y[0]} classes",
                "write one weight for each class",
                [f"output: {'x'.join(map(str, y))}"],
                option="class_weights",
            )

    def lower(self, at: Lowering, y: Value, target: Value) -> Value:
        """sum of w * t * (logsumexp - score); where the shares w * t sum to 1, logsumexp - sum of t * score."""
        classes, channel = y.shape[-1], len(y.shape) - 1
        share = self._share(target, classes, channel)
        values = [y, target]
        if self.class_weights:
            share = share * operand(2)
            values.append(at.b.table(self.class_weights, (classes,)))
        level = at.b.emit("logsumexp", y, axis=channel)
        scores = at.b.sum(at.map(share * operand(0), *values, shape=y.shape), (channel,))
        if target.dtype == LABEL and not self.class_weights:
            return at.mean_of_positions(at.map(operand(0) - operand(1), level, scores))
        total = at.b.sum(at.map(share, *values, shape=y.shape), (channel,))
        return at.mean_of_positions(at.map(operand(0) * operand(1) - operand(2), level, total, scores))

    def _share(self, target: Value, classes: int, channel: int) -> Expr:
        """t, the target after smoothing."""
        rest, each = 1 - self.smoothing, self.smoothing / classes
        return select(is_class(channel), wrap(rest + each), wrap(each)) if target.dtype == LABEL else rest * operand(1) + each


class BinaryCrossEntropy(Loss):
    """Sigmoid with cross-entropy: each score says yes or no by itself, and the target is 0 or 1, or a probability, for each."""

    formula = "L = -sum over k of positive_weight * d[k] * log(sigmoid(x[k])) + (1 - d[k]) * log(1 - sigmoid(x[k]))"
    example = "loss: binary_cross_entropy"
    includes = "sigmoid"

    positive_weight: MaybePositive = Field(None, description="factor of the yes side, where yes is rare; without it 1")

    def lower(self, at: Lowering, y: Value, target: Value) -> Value:
        """-log(sigmoid(x)) is softplus(-x), which never overflows."""
        x, d = operand(0), operand(1)
        yes = (self.positive_weight or 1) * d * unary("softplus", -x)
        both = at.map(yes + (1 - d) * unary("softplus", x), y, target)
        return at.mean_of_positions(at.b.sum(both, (len(y.shape) - 1,)))

    def answer(self, at: Lowering, y: Value) -> Value:
        return at.map(unary("sigmoid", operand(0)), y)


class Hinge(_Picks):
    """The right class's score should be above every other by the margin; what is missing is summed."""

    formula = "L = sum over k other than the class of max(0, margin - x[class] + x[k])"
    example = "loss: hinge"

    margin: Positive = Field(1, description="how far above the other scores")

    def lower(self, at: Lowering, y: Value, target: Value) -> Value:
        channel = len(y.shape) - 1
        own = at.b.sum(at.map(select(is_class(channel), operand(0), wrap(0)), y, target, shape=y.shape), (channel,))
        missing = relu(self.margin - operand(2) + operand(0))
        others = select(is_class(channel), wrap(0), missing)
        return at.mean_of_positions(at.b.sum(at.map(others, y, target, own, shape=y.shape), (channel,)))
