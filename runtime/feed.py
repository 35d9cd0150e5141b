"""Batches from outside: checked as a whole before anything is written, then laid into a plan's slots row by row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from runtime.binding import Binding, view

Array = np.ndarray[Any, Any]

INPUT, TARGET, PLACES = "in.", "target.", "places"
SEGMENT = "inputs"


class InputError(ValueError):
    """What is fed to a plan does not fit it."""


class Feed:
    """The slots of a plan: inputs, the targets that its losses compare with, and the rows' places in the data."""

    def __init__(self, binding: Binding) -> None:
        self.plan = plan = binding.plan
        self.slots = {name: binding.states[name] for name, state in plan.states.items() if state.segment == SEGMENT}
        self.way = binding.device.slots(binding.memory[SEGMENT])

    def checked(self, program: str, inputs: Any, targets: Any = None, places: Any = None) -> dict[str, Array]:
        """The values for the slots that a program reads, in the order of axes that a slot has; InputError where they do not fit."""
        read = {value.name for instruction in self.plan.programs[program] for value in instruction.operands}
        batch = {**self._named(INPUT, inputs, read), **self._named(TARGET, targets, read)}
        if PLACES in read:
            batch[PLACES] = _array(PLACES, np.arange(len(next(iter(batch.values())))) if places is None else places)
        rows = {name: len(value) for name, value in batch.items()}
        if len(set(rows.values())) > 1:
            raise InputError(f"rows differ: {', '.join(f'{_plain(name)} has {n}' for name, n in rows.items())}")
        return {name: self._fitted(name, value) for name, value in batch.items()}

    def write(self, batch: Mapping[str, Array], begin: int = 0) -> int:
        """Rows from `begin` on, as many as fit; the number of them. Rows without a picture repeat the first, as good as any."""
        count, here = 0, self.way.begin()
        for name, value in batch.items():
            slot = view(self.plan.states[name].value, self.plan.homes[""][name], {SEGMENT: here})
            rows = value[begin : begin + self.plan.batch]
            count = len(rows)
            slot[:count], slot[count:] = rows, rows[0]
        self.way.end()
        return count

    def _named(self, prefix: str, values: Any, read: set[str]) -> dict[str, Array]:
        """By slot. A single array serves the only input, and all targets."""
        known = [name for name in self.slots if name.startswith(prefix)]
        wanted = [name for name in known if name in read or prefix == INPUT]
        if not wanted:
            return {}
        if not isinstance(values, Mapping):
            if values is None or (prefix == INPUT and len(wanted) > 1):
                raise InputError(f"give {', '.join(map(_plain, wanted))}")
            values = {_plain(name): values for name in wanted}
        for name in values:
            if prefix + str(name) not in known:
                raise InputError(f"there is no {_noun(prefix)} `{name}`; there is {', '.join(map(_plain, known))}")
        if missing := [_plain(name) for name in wanted if _plain(name) not in values]:
            raise InputError(f"{', '.join(missing)} is missing")
        return {name: _array(_plain(name), values[_plain(name)]) for name in wanted}

    def _fitted(self, name: str, value: Array) -> Array:
        slot = self.slots[name]
        if name == PLACES:
            return _places(value)
        classes = self.plan.classes.get(name)
        if classes and slot.dtype.kind == "i":
            return self._labels(name, value, classes)[..., None]
        return self._numbers(name, value)

    def _numbers(self, name: str, value: Array) -> Array:
        slot, plain = self.slots[name], _plain(name)
        kinds = "" if slot.dtype == np.uint8 else "f" if name.startswith(INPUT) else "fiu"
        if value.dtype != np.uint8 and value.dtype.kind not in kinds:
            raise InputError(f"{plain} takes uint8{' or floating-point numbers' if kinds else ''}, and {value.dtype} is given")
        want = _outside(slot).shape[1:]
        if value.shape[1:] != want:
            raise InputError(f"{plain} is {list(want)} for each row, and {list(value.shape[1:])} is given")
        numbers = value if slot.dtype == np.uint8 else _finite(plain, value, slot.dtype)
        return np.moveaxis(numbers, 1, -1) if value.ndim > 2 else numbers

    def _labels(self, name: str, value: Array, classes: int) -> Array:
        plain, want = _plain(name), self.slots[name].shape[1:-1]
        if value.dtype.kind not in "iu":
            raise InputError(f"{plain} takes the numbers of classes, and {value.dtype} is given")
        if value.shape[1:] != want:
            raise InputError(f"{plain} is {list(want) or 'one number'} for each row, and {list(value.shape[1:])} is given")
        low, high = value.min(), value.max()
        if low < 0 or high >= classes:
            raise InputError(f"{plain} goes from 0 to {classes - 1}, and {low if low < 0 else high} is given")
        return value


def _finite(name: str, value: Array, dtype: np.dtype[Any]) -> Array:
    """Numbers as they are; bytes from 0 to 1."""
    with np.errstate(over="ignore"):  # found below
        numbers = value.astype(dtype)
    if not np.isfinite(numbers).all():
        raise InputError(f"{name} holds values that are not finite in {dtype}")
    if value.dtype == np.uint8:
        numbers /= 255
    return numbers


def _array(name: str, value: Any) -> Array:
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise InputError(f"{name} is no array: {error}") from None
    if not array.ndim or not len(array):
        raise InputError(f"{name} has no rows")
    return array


def _places(value: Array) -> Array:
    if value.dtype.kind not in "iu" or value.ndim != 1 or value.min() < 0:
        raise InputError("places are whole numbers, one for each row, counted from 0")
    return value[:, None]


def _plain(name: str) -> str:
    return name.partition(".")[2] or name


def _noun(prefix: str) -> str:
    return "input" if prefix == INPUT else "target"


def _outside(x: Array) -> Array:
    """(n, sides, c) as people have it: (n, c, sides)."""
    return np.moveaxis(x, -1, 1) if x.ndim > 2 else x
