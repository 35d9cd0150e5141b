"""Small nets for tests of sessions and steps, and batches for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from netcompiler.compilation import Job, stages
from netcompiler.graph import Graph
from netcompiler.loading import load
from netcompiler.plan import Plan
from netcompiler.recipe import Recipe
from runtime.data.feeder import Feeder, fitted
from runtime.data.fields import Table
from runtime.data.rows import Rows
from runtime.data.wanted import wanted

Array = Any

NORMED = """
  - {name: conv, conv: {filters: 4, kernel: 3, padding: 1}}
  - {name: bn, batch_norm}
  - relu
  - max_pool: 2
  - flatten
  - {name: fc, linear: 5}
"""

MIXED = """
  - {name: conv, conv: {filters: 4, kernel: 3, stride: 2, rounding: ceil}}
  - {name: bn, batch_norm}
  - dropout: 0.25
  - residual:
      body: [{name: inner, conv: {filters: 4, kernel: 3, padding: same}}, gelu]
  - branch: {join: concat, paths: {one: {mean_pool: 2}, two: {max_pool: 2}}}
  - global_mean_pool
  - {name: fc, linear: 5}
"""


def text(layers: str, loss: str = "cross_entropy", train: str = "optimizer: {sgd: 0.1}", shape: str = "[2, 6, 6]") -> str:
    return f"netc: 1\nname: small\ninput: {shape}\nlayers:{layers}loss: {loss}\ntrain: {{{train}}}\n"


def read(spec: str) -> tuple[Graph, Recipe]:
    found = load("-", stdin_text=spec)
    assert not found.errors, [f"{d.message} {d.help}" for d in found.errors]
    assert found.graph
    assert found.recipe
    return found.graph, found.recipe


def planned(spec: str, batch: int = 4, dtype: str = "f64", mode: str = "train", target: str = "numpy") -> Plan:
    """The plan after every stage, each looked at by the verifier."""
    graph, recipe = read(spec)
    *_, (_, plan) = stages(Job(graph, recipe, mode, batch, target, dtype), checked=True)
    return plan


def pictures(rows: int, shape: tuple[int, ...] = (2, 6, 6), seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=(rows, *shape))


def feeder(plan: Plan, arrays: Mapping[str, Array]) -> Feeder:
    """Arrays by the names of a plan's states."""
    rows = Rows({name: Table(name, array) for name, array in arrays.items()})
    return Feeder(rows, fitted(rows, {name: name for name in arrays}, wanted(plan), None))


def labels(rows: int, classes: int = 5, seed: int = 1) -> Array:
    return np.random.default_rng(seed).integers(0, classes, rows)


def same(one: Mapping[str, Array], other: Mapping[str, Array], error: float = 1e-12) -> None:
    assert one.keys() == other.keys()
    for name, value in one.items():
        np.testing.assert_allclose(value, other[name], rtol=error, atol=error, err_msg=name)
