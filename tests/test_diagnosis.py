"""Which instruction made a step not finite: the first one, of the layer that is to blame, whatever the plan has fused."""

from __future__ import annotations

import numpy as np
import pytest
import small

from runtime.diagnosis import first_not_finite
from runtime.session import Session

LAYERS = """
  - {name: conv, conv: {filters: 4, kernel: 3}}
  - {name: bn, batch_norm}
  - {name: odd, map: MAP}
  - flatten
  - {name: fc, linear: 5}
"""

CULPRITS = [
    ("log(x)", "", {}, ["odd", "forward"]),
    ("sqrt(x * x)", "", {"conv.weight": 0}, ["bn", "backward"]),  # into whose map the derivative was fused
    ("x", "", {"fc.weight": 1e38}, ["fc", "forward"]),
    ("x", "", {"conv.weight": 1e38}, ["conv", "forward"]),
    ("x", "", {"bn.weight": 1e30}, ["conv", "update"]),
    ("log(x)", ", accumulate: 2", {}, ["odd", "forward"]),
    ("x", ", accumulate: 2", {"fc.weight": 1e38}, ["fc", "forward"]),
]


@pytest.mark.parametrize(("function", "train", "huge", "words"), CULPRITS)
@pytest.mark.parametrize("target", ["numpy", "cpu"])
def test_the_first_instruction(function: str, train: str, huge: dict[str, float], words: list[str], target: str) -> None:
    spec = small.text(LAYERS.replace("MAP", function), train=f"optimizer: {{adam: 0.01}}{train}")
    session = Session(small.planned(spec, 4 if not train else 2, "f32", target=target))
    shapes = {name: array.shape for name, array in session.parameters().items()}
    session.load({name: np.full(shapes[name], value, np.float32) for name, value in huge.items()})
    x, y = 10 * small.pictures(4), small.labels(4)
    before = session.parameters()
    figures = session.step(x, y)
    assert not np.isfinite([*figures.values()]).all()
    small.same(session.parameters(), before, 0)
    found = first_not_finite(session, x, y)
    assert found
    assert all(word in str(found) for word in words), str(found)


def test_a_finite_step_has_no_culprit() -> None:
    session = Session(small.planned(small.text(LAYERS.replace("MAP", "x"))))
    session.step(small.pictures(4), small.labels(4))
    assert first_not_finite(session, small.pictures(4), small.labels(4)) is None
