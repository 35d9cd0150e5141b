"""A plan opened on arrays: segments and the arena are made once, every program is bound to its views once, and then run.

It knows values, homes and kernels, and nothing of specs or layers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from netcompiler.plan import Home, Instruction, Plan, Program, State, Value
from runtime.initial import initial
from runtime.kernels.numpy import KERNELS

MOVES = ("reshape", "slice", "concat")
"""What is done already where the result lies in its operands' bytes."""

DTYPES: dict[str, Any] = {
    "f64": np.float64,
    "f32": np.float32,
    "i64": np.int64,
    "i32": np.int32,
    "u32": np.uint32,
    "u16": np.uint16,
    "u8": np.uint8,
    "b1": np.bool_,
}

Array = np.ndarray[Any, Any]
Call = Callable[[], None]


class InputError(ValueError):
    """What is fed to a plan does not fit it."""


class Session:
    """Runs the programs of a plan. `seed` starts all weights and random numbers."""

    def __init__(self, plan: Plan, seed: int = 0) -> None:
        self.plan = plan
        self.seed = seed
        self.memory = {name: np.zeros(max(size, 1), np.uint8) for name, size in plan.segments.items()}
        self.arrays = {name: self._view(state.value, plan.homes[""][name]) for name, state in plan.states.items()}
        for state in plan.states.values():
            start = initial(state, seed)
            if start is not None:
                self.arrays[state.value.name][...] = start
        for state in plan.states.values():
            if isinstance(state.start, str):
                self.arrays[state.value.name][...] = self.arrays[state.start]
        self.views = {program.name: self._views(program) for program in plan.programs.values()}
        self.calls = {program.name: self._bound(program) for program in plan.programs.values()}
        self.stale = True

    # what people call

    def step(self, inputs: Any, targets: Any) -> dict[str, float]:
        """One step of the optimizer; the loss and the metrics of the batch before it."""
        rows = self._feed(inputs, targets)
        outputs = self._run("step", rows)
        self.stale = True
        return {name: float(value.reshape(())) for name, value in outputs.items() if value.size == 1}

    def evaluate(self, inputs: Any, targets: Any) -> dict[str, float]:
        """The loss and the metrics of a batch, as in inference."""
        rows = self._feed(inputs, targets)
        self._prepare()
        return {name: float(value.reshape(())) for name, value in self._run("evaluate", rows).items()}

    def run(self, inputs: Any) -> Any:
        """The outputs of a batch: an array, or a dictionary of them when the net has several."""
        rows = self._feed(inputs, None)
        self._prepare()
        outputs = {name: _outside(value[:rows]).copy() for name, value in self._run("infer", rows).items()}
        return next(iter(outputs.values())) if len(outputs) == 1 else outputs

    def gradients(self, inputs: Any, targets: Any) -> tuple[float, dict[str, Array]]:
        """The loss, and its gradient for each parameter in PyTorch's order; nothing changes."""
        rows = self._feed(inputs, targets)
        outputs = self._run("gradients", rows)
        found = {}
        for name, value in outputs.items():
            _, gradient, parameter = name.partition("gradient of ")
            if gradient:
                found[parameter] = external(self.plan.states[parameter], value).copy()
        return float(outputs["loss"].reshape(())), found

    def parameters(self) -> dict[str, Array]:
        """Weights and statistics by name, in PyTorch's order: copies."""
        lasting = (state for state in self.plan.states.values() if state.segment in ("parameters", "statistics", "frozen"))
        return {state.parameter: external(state, self.arrays[state.value.name]).copy() for state in lasting}

    def load(self, values: Mapping[str, Any]) -> None:
        """Sets parameters by name; what is not named stays. Nothing is set when something does not fit."""
        known = {state.parameter: state for state in self.plan.states.values() if state.parameter}
        for name, value in values.items():
            if name not in known:
                raise InputError(f"there is no parameter `{name}`")
            want = external(known[name], self.arrays[known[name].value.name]).shape
            if np.shape(value) != want:
                raise InputError(f"{name} is {list(want)}, and {list(np.shape(value))} is given")
        for name, value in values.items():
            external(known[name], self.arrays[known[name].value.name])[...] = value
        self.stale = True

    # memory

    def _view(self, value: Value, home: Home) -> Array:
        """The array of a value; with a pitch its rows lie apart, between those of other values."""
        if not home.pitch:
            return self.memory[home.segment][home.offset : home.offset + value.bytes].view(DTYPES[value.dtype]).reshape(value.shape)
        dtype = np.dtype(DTYPES[value.dtype])
        strides = [dtype.itemsize]
        for n in (home.pitch, *value.shape[-2:0:-1]):
            strides.insert(0, strides[0] * n)
        return np.ndarray(value.shape, dtype, self.memory[home.segment], home.offset, strides)

    def _views(self, program: Program) -> dict[str, Array]:
        homes = self.plan.homes[program.name]
        values = {value.name: value for instruction in program for value in instruction.results}
        views = {name: self._view(value, homes[name]) for name, value in values.items()}
        return {**self.arrays, **views}

    def _bound(self, program: Program) -> list[Call]:
        views = self.views[program.name]
        calls = [call for instruction in program for call in self._calls(instruction, views)]
        homes = self.plan.homes[program.name]
        for name, value in program.successors.items():
            if homes[value.name] != self.plan.homes[""][name]:
                calls.append(_copy(self.arrays[name], views[value.name]))
        return calls

    def _calls(self, instruction: Instruction, views: Mapping[str, Array]) -> list[Call]:
        """One call, or those of a fused instruction's body on arrays of its own."""
        if instruction.body:
            own = {value.name: np.empty(value.shape, DTYPES[value.dtype]) for inner in instruction.body for value in inner.results}
            inside = {**views, **own, **{value.name: views[value.name] for value in instruction.results}}
            return [call for inner in instruction.body for call in self._calls(inner, inside)]
        results = [views[value.name] for value in instruction.results]
        operands = [views[value.name] for value in instruction.operands]
        if instruction.op in MOVES and all(map(partial(np.may_share_memory, results[0]), operands)):
            return []
        attributes = dict(instruction.attributes)
        if instruction.op == "random":
            attributes["key"] = tuple(
                word ^ part for word, part in zip(attributes["key"], (self.seed & 0xFFFFFFFF, self.seed >> 32), strict=True)
            )
        kernel = KERNELS[instruction.op]
        return [lambda: kernel(*results, *operands, **attributes)]

    # running

    def _run(self, program: str, rows: int) -> dict[str, Array]:
        self.arrays["valid"][...] = rows
        for call in self.calls[program]:
            call()
        views = self.views[program]
        return {name: views[value.name] for name, value in self.plan.programs[program].outputs.items()}

    def _prepare(self) -> None:
        if self.stale and "prepare" in self.calls:
            for call in self.calls["prepare"]:
                call()
        self.stale = False

    def _feed(self, inputs: Any, targets: Any) -> int:
        """Writes a batch into its slots; the number of its rows."""
        given = self._named(inputs, "in.")
        wanted = self._named(targets, "target.") if targets is not None else {}
        rows = {len(value) for value in (*given.values(), *wanted.values())}
        if len(rows) != 1 or not 1 <= (count := rows.pop()) <= self.plan.batch:
            raise InputError(f"a batch has 1 to {self.plan.batch} rows, the same for inputs and targets")
        for name, value in {**given, **wanted}.items():
            self._write(name, value, count)
        return count

    def _named(self, values: Any, prefix: str) -> dict[str, Array]:
        names = [name for name in self.arrays if name.startswith(prefix)]
        if not isinstance(values, Mapping):
            values = {names[0].removeprefix(prefix): values} if len(names) == 1 else {}
        if {prefix + name for name in values} != set(names):
            raise InputError(f"give {', '.join(name.removeprefix(prefix) for name in names)}")
        return {prefix + name: np.asarray(value) for name, value in values.items()}

    def _write(self, name: str, value: Array, count: int) -> None:
        slot = self.arrays[name]
        scale = value.dtype == np.uint8 and slot.dtype.kind == "f"
        if name.startswith("in.") or slot.dtype.kind == "f":
            want = _outside(slot).shape[1:]
            if value.shape[1:] != want:
                raise InputError(f"{name.partition('.')[2]} is {list(want)} for each row, and {list(value.shape[1:])} is given")
            if value.dtype.kind == "f" and not np.isfinite(value).all():
                raise InputError(f"{name.partition('.')[2]} holds values that are not finite")
            _outside(slot)[:count] = value / slot.dtype.type(255) if scale else value
        else:
            self._labels(name, slot, value, count)
        slot[count:] = 0

    def _labels(self, name: str, slot: Array, value: Array, count: int) -> None:
        if value.dtype.kind not in "iu" or value.shape[1:] != slot.shape[1:-1]:
            raise InputError(f"{name.partition('.')[2]} takes whole numbers, {list(slot.shape[1:-1])} for each row")
        classes = self._classes(name)
        if value.size and not 0 <= value.min() <= value.max() < classes:
            raise InputError(f"labels go from 0 to {classes - 1}, and these from {value.min()} to {value.max()}")
        slot[:count] = value[..., None]

    def _classes(self, name: str) -> int:
        output = self.plan.programs["infer"].outputs[name.partition(".")[2]]
        return output.shape[-1]


def _copy(to: Array, value: Array) -> Call:
    return lambda: np.copyto(to, value)


def _outside(x: Array) -> Array:
    """(n, sides, c) as people have it: (n, c, sides)."""
    return np.moveaxis(x, -1, 1) if x.ndim > 2 else x


def external(state: State, array: Array) -> Array:
    """A parameter as PyTorch has it: a view."""
    return array.transpose(np.argsort(state.order)) if state.order else array


def open(plan: Plan, seed: int = 0) -> Session:
    """A session on a plan, with its weights at their start."""
    return Session(plan, seed)


__all__ = ["InputError", "Session", "open"]
