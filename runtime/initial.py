"""How state starts. Each tensor has its own stream of random numbers, so a new layer leaves the others' weights as they are."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from netcompiler.plan import Start, State
from netcompiler.recipe.initialiser import Bilinear, Constant, He, Normal, Orthogonal, Uniform, Xavier

Array = np.ndarray[Any, Any]
Shape = tuple[int, ...]
Generator = np.random.Generator


def initial(state: State, seed: int) -> Array | None:
    """The first values of a state, in the order that they have outside; None where another state gives them."""
    shape = outside(state)
    match state.start:
        case str():
            return None
        case Start(rule, fan_in, fan_out, pairs):
            drawn = DRAW[type(rule)](rule, stream(state.parameter, seed), shape, (fan_in, fan_out))
            return drawn if pairs is None else drawn * np.reshape(pairs, (*shape[:2], *[1] * len(shape[2:])))
        case tuple():
            return np.reshape(state.start, shape)
    return np.full(shape, state.start or 0.0)


def outside(state: State) -> Shape:
    """The shape of a state with its axes in the order that they have outside."""
    stored = state.value.shape
    return tuple(stored[axis] for axis in np.argsort(state.order)) if state.order else stored


def stream(name: str, seed: int) -> Generator:
    digest = hashlib.blake2b(f"{seed}\0{name}".encode(), digest_size=16).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest, "little")))


def _constant(rule: Constant, draw: Generator, shape: Shape, fans: tuple[int, int]) -> Array:
    return np.full(shape, rule.value)


def _normal(rule: Normal, draw: Generator, shape: Shape, fans: tuple[int, int]) -> Array:
    return draw.normal(rule.mean, rule.std, shape)


def _uniform(rule: Uniform, draw: Generator, shape: Shape, fans: tuple[int, int]) -> Array:
    low, high = rule.range if isinstance(rule.range, list) else (-rule.range, rule.range)
    return draw.uniform(low, high, shape)


def _scaled(rule: Xavier | He, draw: Generator, shape: Shape, fans: tuple[int, int]) -> Array:
    std = rule.deviation(*fans)
    if rule.distribution == "normal":
        return draw.normal(0, std, shape)
    return draw.uniform(-math.sqrt(3) * std, math.sqrt(3) * std, shape)


def _orthogonal(rule: Orthogonal, draw: Generator, shape: Shape, fans: tuple[int, int]) -> Array:
    """Q of a normal matrix's QR, with the signs that make it uniform among all such (Mezzadri 2007)."""
    rows, columns = shape[0], math.prod(shape[1:])
    q, r = np.linalg.qr(draw.normal(size=(max(rows, columns), min(rows, columns))))
    q = q * np.sign(np.diag(r))
    return rule.gain * (q if rows >= columns else q.T).reshape(shape)


def _bilinear(rule: Bilinear, draw: Generator, shape: Shape, fans: tuple[int, int]) -> Array:
    """w[n, n] = the product over the sides of 1 - |i - c| / f."""
    weights = np.zeros(shape)
    maps = np.arange(min(shape[:2]))
    weights[maps, maps] = np.ones(()) if len(shape) == 2 else _tent(shape[2:])
    return weights


def _tent(kernel: Shape) -> Array:
    sides = [1 - np.abs(np.arange(k) - (k - 1) / 2) / math.ceil(k / 2) for k in kernel]
    return np.asarray(math.prod(np.ix_(*sides)))


DRAW: dict[type, Callable[..., Array]] = {
    Constant: _constant,
    Normal: _normal,
    Uniform: _uniform,
    Xavier: _scaled,
    He: _scaled,
    Orthogonal: _orthogonal,
    Bilinear: _bilinear,
}
