"""A plan opened on arrays: what people call. Read next: feed.py for batches, binding.py for programs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from netcompiler.plan import Plan, State
from runtime.binding import Array, Binding, external
from runtime.data.scale import Scale
from runtime.device import Device
from runtime.feed import INPUT, Feed, InputError
from runtime.timing import Timed, timed

GRADIENT = "gradient of "
Figures = Callable[[], dict[str, float]]
"""The loss and the metrics for who asks."""
WEIGHTS = ("parameters", "statistics", "frozen")
PASSING = ("inputs", "sums", "derived")
"""Segments that hold nothing from one step to the next."""
GIVEN = ("row", "valid", "share", "rate", "epoch")
"""Controls that are set for each step."""


class Session:
    """Runs the programs of a plan. `seed` starts all weights and random numbers.

    `poison` fills memory that holds nothing with NaN all the time: results stay the same, or the plan is wrong."""

    def __init__(self, plan: Plan, seed: int = 0, poison: bool = False, device: Device | None = None) -> None:
        self.plan = plan
        self.seed = seed
        self.binding = Binding(plan, seed, poison, device)
        self.device = self.binding.device
        self.arrays = self.binding.states
        self.feed = Feed(self.binding)
        self.controls: dict[str, float] = {}
        self.stale = True

    def step(self, inputs: Any, targets: Any, places: Any = None, epoch: int | None = None) -> dict[str, float]:
        """One step of the optimizer; the loss and the metrics of the batch before it.

        What augmentation draws for a picture depends on its place in the data and on the epoch; without them rows count from 0,
        and steps stand for epochs. Where the recipe accumulates, a batch of any size is taken in parts of the plan's."""
        return self.begin_step(inputs, targets, places, epoch)()

    def begin_step(self, inputs: Any, targets: Any, places: Any = None, epoch: int | None = None) -> Figures:
        """A step that may go on after this returns: its figures are there for who asks, once."""
        self._set_epoch(epoch)
        if "accumulate" in self.plan.programs:
            return self._step_of_parts(inputs, targets, places)
        figures = self._figures("step", self._whole("step", inputs, targets, places))
        self.stale = True
        return figures

    def is_sound(self, figures: Mapping[str, float]) -> bool:
        """Whether a step was finite, or at least its loss was and the next one tries a smaller scale of it."""
        if all(map(math.isfinite, figures.values())):
            return True
        smaller = "scale" in self.arrays and self.device.read(self.arrays["scale"]).item() > 1
        return smaller and math.isfinite(figures.get("loss", math.nan))

    def evaluate(self, inputs: Any, targets: Any) -> dict[str, float]:
        """The loss and the metrics of a batch, as in inference; by the average of the weights where the recipe keeps one."""
        return self.begin_evaluation(inputs, targets)()

    def begin_evaluation(self, inputs: Any, targets: Any) -> Figures:
        """As a step is begun."""
        rows = self._whole("evaluate", inputs, targets)
        self._prepare()
        return self._figures("evaluate", rows)

    def run(self, inputs: Any) -> Any:
        """The outputs of a batch: an array, or a dictionary of them when the net has several."""
        rows = self._whole("infer", inputs)
        self._prepare()
        outputs = {name: self.device.read(_outside(value[:rows])) for name, value in self._run("infer", rows).items()}
        return next(iter(outputs.values())) if len(outputs) == 1 else outputs

    def look(self, inputs: Any, places: Any, epoch: int) -> Array:
        """The first input as training's first layer reads it: augmented and normalized."""
        self._set_epoch(epoch)
        rows = self._whole("look", inputs, None, places)
        [seen] = self._run("look", rows).values()
        return self.device.read(_outside(seen[:rows]))

    def gradients(self, inputs: Any, targets: Any, places: Any = None, epoch: int | None = None) -> tuple[float, dict[str, Array]]:
        """The loss, and its gradient for each parameter in PyTorch's order: what a step would take them for; nothing changes."""
        self._set_epoch(epoch)
        outputs = self._run("gradients", self._whole("gradients", inputs, targets, places))
        found = {}
        for name, value in outputs.items():
            _, gradient, parameter = name.partition(GRADIENT)
            if gradient:
                found[parameter] = self.device.read(external(self.plan.states[parameter], value))
        return float(self.device.read(outputs["loss"]).item()), found

    def parameters(self, average: bool = False) -> dict[str, Array]:
        """Weights and statistics by name, in PyTorch's order: copies. With `average` the running averages where there are some."""
        lasting = (state for state in self.plan.states.values() if state.segment in WEIGHTS)
        averages = {str(state.start): name for name, state in self.plan.states.items() if state.segment == "average"} if average else {}
        return {state.parameter: self._outside(state, averages.get(state.value.name, state.value.name)) for state in lasting}

    def load(self, values: Mapping[str, Any]) -> None:
        """Sets parameters by name, and their averages with them; what is not named stays. Nothing is set when something does not fit."""
        known = {state.parameter: state for state in self.plan.states.values() if state.parameter}
        arrays = {name: self._fitted(known, name, value) for name, value in values.items()}
        followers = {str(state.start): state for state in self.plan.states.values() if state.segment == "average"}
        for name, array in arrays.items():
            state = known[name]
            self._write(state, array)
            follower = followers.get(state.value.name)
            if follower and follower.parameter not in values:
                self._write(follower, array)
        self.stale = True

    def normalize(self, scales: Mapping[str, Scale]) -> None:
        """Sets what the plan normalizes its input by; a vector takes the numbers of a picture's channels, one channel after the other."""
        for name, scale in scales.items():
            plain = name.removeprefix(INPUT)
            for state, values in ((f"mean.{plain}", scale.mean), (f"std.{plain}", scale.std)):
                if state not in self.arrays:
                    raise InputError(f"the recipe does not normalize {plain}, and the weights are for one that does: add normalize: auto")
                array = self.arrays[state]
                self.device.write(array, np.repeat(values, array.size // len(values)))

    def state(self) -> dict[str, Array]:
        """Everything that the next step depends on beside its batch, by the plan's names, in PyTorch's order: copies."""
        return {name: self._outside(state, name) for name, state in self._lasting().items()}

    def restore(self, values: Mapping[str, Array]) -> None:
        """What `state` gave, of this plan or of one that keeps the same things. Nothing is set when something does not fit."""
        lasting = self._lasting()
        arrays = {name: self._fitted(lasting, name, value) for name, value in values.items() if name not in GIVEN}
        if missing := [name for name in lasting if name not in values]:
            raise InputError(f"{', '.join(missing[:3])}{' and others' * (len(missing) > 3)} {'is' if len(missing) == 1 else 'are'} missing")
        for name, array in arrays.items():
            self._write(lasting[name], array)
        self.controls.clear()
        self.stale = True

    def keeps(self) -> set[str]:
        """The names of what `state` gives."""
        return set(self._lasting())

    def spoilt(self) -> str:
        """The name of a state that is kept and holds what is not finite; nothing where there is none."""
        return next((name for name, state in self._lasting().items() if not np.isfinite(self._outside(state, name)).all()), "")

    def _outside(self, state: State, name: str) -> Array:
        """What an array holds, as a state lies outside: a copy."""
        return self.device.read(external(state, self.arrays[name]))

    def _write(self, state: State, values: Array) -> None:
        self.device.write(external(state, self.arrays[state.value.name]), values)

    def _lasting(self) -> dict[str, State]:
        return {name: state for name, state in self.plan.states.items() if state.segment not in PASSING and name not in GIVEN}

    def _fitted(self, known: Mapping[str, State], name: str, value: Any) -> Array:
        if name not in known:
            raise InputError(f"there is no parameter `{name}`")
        array = np.asarray(value)
        want = external(known[name], self.arrays[known[name].value.name]).shape
        if array.shape != want:
            raise InputError(f"{name} is {list(want)}, and {list(array.shape)} is given")
        if array.dtype.kind not in "fiu":
            raise InputError(f"{name} takes numbers, and {array.dtype} is given")
        return array

    def timed(self, program: str, runs: int = 1) -> list[Timed]:
        """Each instruction of a program and its seconds, the least of so many runs on the batch that was given last."""
        return timed(self.binding, program, runs)

    # running

    def _whole(self, program: str, inputs: Any, targets: Any = None, places: Any = None) -> int:
        """Writes a batch that the plan takes at once; the number of its rows."""
        if program not in self.plan.programs:
            raise InputError(f"a plan of mode {self.plan.mode} has no program `{program}`: {_help(program)}")
        batch = self.feed.checked(program, inputs, targets, places)
        rows = len(next(iter(batch.values())))
        if rows > self.plan.batch:
            raise InputError(f"the plan is for batches of {self.plan.batch} rows or fewer, and {rows} are given")
        return self.feed.write(batch)

    def _step_of_parts(self, inputs: Any, targets: Any, places: Any) -> Figures:
        batch = self.feed.checked("accumulate", inputs, targets, places)
        rows = len(next(iter(batch.values())))
        parts: list[tuple[float, Figures]] = []
        for begin in range(0, rows, self.plan.batch):
            count = self.feed.write(batch, begin)
            self.set("row", begin)
            self.set("share", count / rows)
            parts.append((count / rows, self._figures("accumulate", count)))
        self.set("row", 0)
        self.stale = True
        update = self._figures("update", rows)
        return lambda: {**_mean(parts), **update()}

    def _figures(self, program: str, rows: int) -> Figures:
        numbers = {name: value for name, value in self._run(program, rows).items() if value.size == 1}
        later = self.device.figures([*numbers.values()])
        return lambda: dict(zip(numbers, later(), strict=True))

    def _run(self, program: str, rows: int) -> dict[str, Array]:
        self.set("valid", rows)
        return self.binding.run(program)

    def _set_epoch(self, epoch: int | None) -> None:
        if epoch is None:
            epoch = int(self.device.read(self.arrays["tick"]).item()) if "tick" in self.arrays else 0
        self.set("epoch", epoch)

    def set(self, control: str, value: float) -> None:
        """A control that no instruction reads is not there; one that has the value already is left alone."""
        if control in self.arrays and self.controls.get(control) != value:
            self.device.write(self.arrays[control], value)
            self.controls[control] = value

    def _prepare(self) -> None:
        if self.stale and "prepare" in self.plan.programs:
            self.binding.run("prepare")
        self.stale = False


def _mean(parts: Iterable[tuple[float, Figures]]) -> dict[str, float]:
    """Of figures by their shares."""
    sums: dict[str, float] = {}
    for share, figures in parts:
        for name, value in figures().items():
            sums[name] = sums.get(name, 0.0) + value * share
    return sums


def _help(program: str) -> str:
    return "the recipe names no optimizer" if program == "step" else f"compile with mode {'look' if program == 'look' else 'train'}"


def _outside(x: Array) -> Array:
    """(n, sides, c) as people have it: (n, c, sides)."""
    return np.moveaxis(x, -1, 1) if x.ndim > 2 else x


def open(plan: Plan, seed: int = 0, poison: bool = False) -> Session:
    """A session on a plan, with its weights at their start."""
    return Session(plan, seed, poison)


__all__ = ["InputError", "Session", "open"]
