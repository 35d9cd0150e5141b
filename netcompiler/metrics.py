"""Figures beside the loss, as instructions."""

from __future__ import annotations

from netcompiler.lowering import Lowering
from netcompiler.plan import Value
from netcompiler.scalar import compare, index, logical, operand, select, wrap


def top(at: Lowering, y: Value, target: Value, k: int) -> Value:
    """Whether the right class is among the k largest scores, earlier ones first among equals: (n, 1)."""
    channel = len(y.shape) - 1
    score, label, right = map(operand, range(3))
    picked = at.b.sum(at.map(select(compare("eq", index(channel), label), score, wrap(0)), y, target, shape=y.shape), (channel,))
    equal = logical("and", compare("eq", score, right), compare("lt", index(channel), label))
    above = logical("or", compare("gt", score, right), equal)
    rank = at.b.sum(at.map(select(above, wrap(1), wrap(0)), y, target, picked, shape=y.shape), (channel,))
    return at.mean_of_positions(at.map(select(compare("lt", operand(0), wrap(k)), wrap(1), wrap(0)), rank))
