"""Compiled random bits: those of the oracle, to the bit."""

from __future__ import annotations

import numpy as np
import pytest
from compiled import GAP, expected, results

from runtime.kernels.cpu import random as kernels

KEYS = [(0, 0), (0xFFFFFFFF, 0x9E3779B9)]
PLACES = [0, 2**32 - 2, 2**40 + 5]


@pytest.mark.parametrize("lanes", [16, 8, 4])
@pytest.mark.parametrize("gap", [0, GAP])
@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (3, 4), (5, 37), (2, 64), (3, 4099)])
def test_bits_of_a_place(rows: int, columns: int, gap: int, lanes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "LANES", lanes)
    types = [((rows, columns), np.uint32)]
    for key in KEYS:
        for place in PLACES:
            single, several = np.array(place), place + 7 * np.arange(rows)[::-1, None]
            for row in (single, several):
                how = {"key": key, "rows": rows, "columns": columns}
                [bits] = results("random", types, row, np.array(2**33 + 3), gap=gap if row.ndim else 0, **how)
                np.testing.assert_array_equal(bits, expected("random", types, row, np.array(2**33 + 3), **how)[0])
