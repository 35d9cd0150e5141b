"""Sources of data for tests: read without a net, or as one wants them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from netcompiler.recipe import DATA
from runtime.data.faults import DataError, Faults
from runtime.data.fields import Field
from runtime.data.fit import Form
from runtime.data.rows import Rows, Sets
from runtime.data.source import read
from runtime.data.wanted import Wanted

IMAGE, LABEL = Wanted((3, 12, 16)), Wanted((), 3)


def sets(kind: str, options: Mapping[str, Any], wants: Mapping[str, Wanted] | None = None, policy: str = "stop") -> tuple[Sets, Faults]:
    faults = Faults(policy)
    return read(DATA[kind](**options), wants or {}, 0, faults), faults


def values(field: Field, want: Wanted, resize: Any = None) -> np.ndarray:
    """All rows as a net reads them; none may be bad."""
    reading = field.read(np.arange(len(field)), Form(want, resize, "field"))
    assert not reading.faults, reading.faults
    return reading.values


def labels(rows: Rows) -> list[int]:
    return values(rows.fields["label"], Wanted((), 100)).tolist()


def refused(kind: str, options: Mapping[str, Any], wants: Mapping[str, Wanted] | None = None) -> str:
    with pytest.raises(DataError) as error:
        sets(kind, options, wants)
    return str(error.value)
