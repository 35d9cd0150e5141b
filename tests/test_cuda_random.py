"""CUDA's random bits: those of the oracle, to the bit."""

from __future__ import annotations

import numpy as np
import pytest
from compiled import GAP, expected
from cuda_host import compiles, results
from test_cpu_random import KEYS, PLACES


@pytest.mark.parametrize("gap", [0, GAP])
@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (3, 4), (5, 37), (2, 64), (3, 4099)])
def test_bits_of_a_place(rows: int, columns: int, gap: int) -> None:
    types, tick = [((rows, columns), np.uint32)], np.array(2**33 + 3)
    for key in KEYS:
        for place in PLACES:
            for row in (np.array(place), place + 7 * np.arange(rows)[::-1, None]):
                how = {"key": key, "rows": rows, "columns": columns}
                [bits] = results("random", types, row, tick, gap=gap if row.ndim else 0, **how)
                np.testing.assert_array_equal(bits, expected("random", types, row, tick, **how)[0])


@pytest.mark.parametrize("columns", [37, 64])
@pytest.mark.parametrize("architecture", ["sm_80", "sm_90a"])
def test_compiles_without_spills(architecture: str, columns: int) -> None:
    compiles(architecture, "random", [((2, columns), np.uint32)], np.array(5), np.array(6), key=(1, 2), rows=2, columns=columns)
