"""Losses that choose among classes. Over maps they choose at each position, and the mean over the positions counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from netcompiler.diagnostics import Mistake
from netcompiler.losses.loss import Loss
from netcompiler.options import Expect, MaybePositive, NotNegative, Positive, Share
from netcompiler.scalar import compare, index, operand, select, wrap

if TYPE_CHECKING:
    from netcompiler.layers.layer import Shape
    from netcompiler.lowering import Lowering
    from netcompiler.plan import Value


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
        """logsumexp - the score of the right class, or with smoothing a mean of scores; times the weight of the class."""
        classes, channel = y.shape[-1], len(y.shape) - 1
        right = compare("eq", index(channel), operand(1))
        share = select(right, wrap(1 - self.smoothing + self.smoothing / classes), wrap(self.smoothing / classes))
        weights = [at.b.table(self.class_weights, (classes,))] if self.class_weights else []
        if weights:
            share = share * operand(2)
        scores = at.b.sum(at.map(share * operand(0), y, target, *weights, shape=y.shape), (channel,))
        level = at.b.emit("logsumexp", y, axis=channel)
        if weights:
            total = at.b.sum(at.map(share, y, target, *weights, shape=y.shape), (channel,))
            return at.mean_of_positions(at.map(operand(0) * operand(1) - operand(2), level, total, scores))
        return at.mean_of_positions(at.map(operand(0) - operand(1), level, scores))


class BinaryCrossEntropy(Loss):
    """Sigmoid with cross-entropy: each score says yes or no by itself, and the target is 0 or 1, or a probability, for each."""

    formula = "L = -sum over k of positive_weight * d[k] * log(sigmoid(x[k])) + (1 - d[k]) * log(1 - sigmoid(x[k]))"
    example = "loss: binary_cross_entropy"
    includes = "sigmoid"

    positive_weight: MaybePositive = Field(None, description="factor of the yes side, where yes is rare; without it 1")


class Hinge(_Picks):
    """The right class's score should be above every other by the margin; what is missing is summed."""

    formula = "L = sum over k other than the class of max(0, margin - x[class] + x[k])"
    example = "loss: hinge"

    margin: Positive = Field(1, description="how far above the other scores")
