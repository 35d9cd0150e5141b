"""A formula over x in PyTorch: nested lists, the sign or function first; a number is itself, and "x" is x."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor


def written(term: Any, x: Tensor) -> Tensor:
    if term == "x":
        return x
    if isinstance(term, bool | float):
        return torch.tensor(term)
    sign, *arguments = term
    return FUNCTIONS[sign](*(written(argument, x) for argument in arguments))


FUNCTIONS: dict[str, Callable[..., Tensor]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "**": operator.pow,
    "negate": operator.neg,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "if": torch.where,
    "and": torch.logical_and,
    "or": torch.logical_or,
    "not": torch.logical_not,
    "max": torch.maximum,
    "min": torch.minimum,
    "softplus": F.softplus,
    **{name: getattr(torch, name) for name in ("abs", "exp", "expm1", "log", "log1p", "sqrt", "rsqrt", "tanh", "sigmoid", "sin", "cos")},
    **{name: getattr(torch, name) for name in ("relu", "erf")},
}
