"""Pictures scaled by compiled code: what Pillow makes of them; and no picture lies where another one is still needed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from files import packed, smooth
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from runtime.data import scaling
from runtime.data.fit import Form
from runtime.data.picture import Pictures
from runtime.data.wanted import Wanted

SIDE = st.integers(1, 200)


def crosswise_first(have: tuple[int, int], size: tuple[int, int]) -> bool:
    """Whether newer versions of Pillow scale across the lines first."""
    return have[0] - size[0] > max(0, 2 * (have[1] - size[1]))


@given(rows=SIDE, columns=SIDE, height=SIDE, width=st.integers(scaling.LEAST, 200), data=st.data())
@settings(max_examples=300, deadline=None)
def test_scaling_is_pillow_s(rows: int, columns: int, height: int, width: int, data: st.DataObject) -> None:
    """Larger or smaller, of the whole or of any part."""
    share = st.floats(0, 1)
    left, right = sorted(data.draw(share) * columns for _ in range(2))
    top, bottom = sorted(data.draw(share) * rows for _ in range(2))
    box = (left, top, right, bottom) if right - left > 0.5 and bottom - top > 0.5 else (0, 0, columns, rows)
    picture = np.random.default_rng(rows * columns).integers(0, 256, (rows, columns, 3), dtype=np.uint8)
    found = scaling.scaled(picture, height, width, box)
    expected = np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.BILINEAR, box)).astype(int)
    assert np.abs(found - expected).max() <= crosswise_first((rows, columns), (height, width))


def test_without_a_compiler_pillow_does_it(monkeypatch: pytest.MonkeyPatch) -> None:
    picture, box = smooth(60, 80), (3.5, 2.0, 70.0, 55.5)
    compiled = scaling.scaled(picture, 40, 50, box)
    monkeypatch.setattr(scaling, "_kernels", lambda: None)
    assert np.array_equal(scaling.scaled(picture, 40, 50, box), compiled)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("resize", [40, 50, [40, 50], 60, [45, 66]])
def test_pictures_do_not_share_their_memory(kind: str, resize: int | list[int]) -> None:
    """Unpacked and scaled one after the other: the first is what it was."""
    codec, form = Pictures(3), Form(Wanted((3, 40, 50)), resize, "image")
    contents = [packed(smooth(100, 120, seed), kind) for seed in range(3)]
    each = [codec.fitted(content, form).copy() for content in contents]
    together = [codec.fitted(content, form) for content in contents]
    assert all(np.array_equal(one, other) for one, other in zip(each, together, strict=True))
    assert len({picture.tobytes() for picture in each}) == 3


def test_other_machines_have_shorter_vectors() -> None:
    words = [sys.executable, "tests/narrow.py", "4", __file__, "-k", "pillow_s"]
    done = subprocess.run(words, cwd=Path(__file__).parent.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
