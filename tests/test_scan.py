"""A net that scans a larger picture gives at each position what the net itself gives on the part that it sees there."""

from __future__ import annotations

import numpy as np
import pytest

import netcompiler
import runtime
from netcompiler.compilation import Job, stages
from netcompiler.graph import Graph
from netcompiler.plan import Plan
from netcompiler.scan import scan


def plan_of(graph: Graph, batch: int) -> Plan:
    *_, (_, plan) = stages(Job(graph, None, "infer", batch, "numpy", "f64"))
    return plan


@pytest.mark.parametrize("spec", ["lenet", "lenet:caffe"])
def test_each_position_is_the_net_on_its_window(spec: str) -> None:
    graph = netcompiler.load(spec).graph
    assert graph
    channels, *sides = graph.inputs[0].shape
    picture = np.random.default_rng(0).normal(size=(1, channels, sides[0] + 8, sides[1] + 4))
    wide = runtime.open(plan_of(scan(graph, picture.shape[2:])[0], 1), seed=3)
    small = runtime.open(plan_of(graph, 1), seed=4)
    shapes = {name: value.shape for name, value in wide.parameters().items()}
    wide.load({name: value.reshape(shapes[name]) for name, value in small.parameters().items()})
    scores = wide.run(picture)[0]
    assert scores.shape[1:] == (3, 2)
    for row, column in np.ndindex(3, 2):
        part = picture[:, :, 4 * row : 4 * row + sides[0], 4 * column : 4 * column + sides[1]]
        np.testing.assert_allclose(scores[:, row, column], small.run(part)[0], rtol=1e-10, atol=1e-12)
