"""From gradients to successors: finiteness, clipping, the optimizer's rule for each parameter, the running average.

Every successor is select(ok, new, old): a step that is not finite changes nothing and can be replayed.
With accumulation the gradients of a step's parts are added up in states of their own, which `update` reads and clears, and
statistics go from part to part beside those that are valid, until `update` knows that all parts are finite.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import reduce

from netcompiler.builder import Builder
from netcompiler.lowering import Lowering
from netcompiler.optimisers import Optimizer
from netcompiler.passes.differentiate import GRADIENT
from netcompiler.passes.precision import GOOD, SCALE
from netcompiler.passes.simplify import without_dead
from netcompiler.plan import Plan, Program, State, Value
from netcompiler.recipe import Recipe
from netcompiler.scalar import add, cast, compare, logical, make, maximum, minimum, operand, rsqrt, select, wrap

STEPS, LARGEST = 2000, 2.0**24
"""Steps that must be finite before the scale of the loss grows, and how large it may become."""

ADDED = 16
"""How many numbers one map adds."""

AVERAGED = ("evaluate", "infer")
"""Programs that read the running average where there is one."""


def optimise(plan: Plan, recipe: Recipe | None, spared: frozenset[str]) -> Plan:
    """`spared` are the parameters that decay leaves alone unless it is told otherwise."""
    if plan.mode != "train" or recipe is None or recipe.optimizer is None:
        return plan
    states = dict(plan.states)
    update = _Update(plan, states, recipe, recipe.optimizer, spared)
    whole = plan.programs.get("step")
    changing = [update.step(whole)] if whole else update.parts(plan.programs["accumulate"])
    unchanging = _unchanging(whole or plan.programs["accumulate"])
    averaged = [_averaged(plan.programs[name], states) for name in AVERAGED]
    return replace(plan, states=states, programs={program.name: program for program in (*changing, unchanging, *averaged)})


def _unchanging(program: Program) -> Program:
    """The loss and the gradients of a step that changes nothing."""
    outputs = {name: value for name, value in program.outputs.items() if name == "loss" or name.startswith(GRADIENT)}
    return without_dead(replace(program, name="gradients", outputs=outputs, successors={}))


def _averaged(program: Program, states: Mapping[str, State]) -> Program:
    """The program with averages in place of the weights that it reads."""
    averages = {states[str(state.start)].value: state.value for state in states.values() if state.segment == "average"}
    if not averages:
        return program
    instructions = tuple(replace(i, operands=tuple(averages.get(value, value) for value in i.operands)) for i in program)
    return replace(program, instructions=instructions)


class _Update:
    """Writes a program's end; `states` grows by what the rule keeps for each parameter."""

    def __init__(self, plan: Plan, states: dict[str, State], recipe: Recipe, rule: Optimizer, spared: frozenset[str]) -> None:
        self.plan, self.states, self.recipe, self.rule, self.spared = plan, states, recipe, rule, spared
        self.weights = [state for state in plan.states.values() if state.segment == "parameters"]

    def step(self, program: Program) -> Program:
        """Forward, backward and update in one."""
        self._begin(program)
        ok = self._apply(_gradients(program), program.outputs["loss"])
        self._guard(program, ok)
        return self._end(program)

    def parts(self, program: Program) -> list[Program]:
        """`accumulate` runs for each part of a batch and adds its share of the gradient, `update` once behind them."""
        return [self._accumulate(program), self._update(program)]

    def _accumulate(self, program: Program) -> Program:
        self._begin(self._passed_on(program))
        share = self.at.control("share", self.plan.dtype, 1.0)
        for name, value in {**_gradients(program), "loss": program.outputs["loss"]}.items():
            total = self._sum(name, value)
            self.at.succeed(total, self.b.map(operand(0) + operand(1) * operand(2), total, value, share))
        for name, value in program.successors.items():
            self.at.succeed(self._pending(name), value)
        return self._end(program)

    def _update(self, program: Program) -> Program:
        self._begin(Program("update", (), {}))
        sums = {name: self._sum(name, value) for name, value in _gradients(program).items()}
        loss = self._sum("loss", program.outputs["loss"])
        ok = self._apply(sums, loss)
        for name in program.successors:
            self._succeed(self.states[name].value, self._pending(name), ok)
        for total in (*sums.values(), loss):
            self.at.succeed(total, self.b.constant(0.0, total.shape))
        return self._end(Program("update", (), {}))

    def _sum(self, name: str, value: Value) -> Value:
        return self.at.state(f"sum.{name}", "sums", value.dtype, value.shape, start=0.0).value

    def _passed_on(self, program: Program) -> Program:
        """Reads statistics as the part before left them; the first part reads those that are valid."""
        if not program.successors:
            return program
        self._begin(program)
        begun = {x: self._begun(x) for x in (self.states[name].value for name in program.successors)}
        before = self.b.instructions[len(program.instructions) :]
        rest = (replace(i, operands=tuple(begun.get(x, x) for x in i.operands)) for i in program)
        return replace(program, instructions=(*before, *rest), forward=program.forward + len(before))

    def _begun(self, x: Value) -> Value:
        first = compare("eq", operand(0), wrap(0))
        return self.b.map(select(first, operand(1), operand(2)), self.at.control("row", "i64"), x, self._pending(x.name), shape=x.shape)

    def _pending(self, name: str) -> Value:
        """A statistic's next value, of the parts so far."""
        x = self.states[name].value
        return self.at.state(f"next.{name}", "sums", x.dtype, x.shape, start=0.0).value

    # the parts of an update

    def _begin(self, program: Program) -> None:
        self.b = Builder(self.plan.dtype, program.instructions)
        self.at = Lowering(self.b, self.states, self.plan.batch, True)
        self.b.origin = "update"
        self.outputs = {name: value for name, value in program.outputs.items() if not name.startswith(GRADIENT)}

    def _end(self, program: Program) -> Program:
        return replace(program, instructions=tuple(self.b.instructions), outputs=self.outputs, successors=self.at.successors)

    def _guard(self, program: Program, ok: Value) -> None:
        """What layers themselves succeed: statistics."""
        self.b.origin = "update"
        for name, value in program.successors.items():
            self._succeed(self.states[name].value, value, ok)

    def _apply(self, gradients: Mapping[str, Value], loss: Value) -> Value:
        """Successors of all parameters and of what belongs to them; whether the step is finite."""
        norm2 = self._norm2(gradients)
        ok = self.b.map(make("isfinite", operand(0) + operand(1)), norm2, loss)
        shrink = self._shrink(norm2)
        beside = self._beside()
        for name, gradient in gradients.items():
            self._parameter(self.states[name], gradient, beside.get(name, []), shrink, ok)
        self.b.origin = "update"
        tick = self.at.control("tick", "i64")
        after = cast(select(operand(0), operand(1) + 1, operand(1)), "i64")
        self.at.succeed(tick, self.b.map(after, self.b.reshape(ok, ()), tick))
        self.outputs["norm2"] = norm2
        if SCALE in self.states:
            self._rescale(self.b.reshape(ok, ()))
        return ok

    def _rescale(self, ok: Value) -> None:
        """The scale of the loss is halved when a step is not finite, and doubled after so many in a row that are."""
        scale, good = self.states[SCALE].value, self.states[GOOD].value
        fine, now, steps = map(operand, range(3))
        grows = compare("ge", steps + 1, wrap(STEPS))
        larger = select(grows, minimum(2 * now, wrap(LARGEST)), now)
        self.at.succeed(scale, self.b.map(select(fine, larger, maximum(0.5 * now, wrap(1))), ok, scale, good))
        again = select(logical("and", fine, logical("not", grows)), steps + 1, wrap(0))
        self.at.succeed(good, self.b.map(again, ok, scale, good, dtype="i32"))

    def _beside(self) -> dict[str, list[Value]]:
        """For each parameter its slots and its average: tensors of its shape, in an order in which they lie as the parameters do."""
        rows: list[tuple[str, str, float | None]] = [(f"slot{i}", "slots", self.rule.slot_start) for i in range(self.rule.slots)]
        rows += [("average", "average", None)] if self.recipe.ema is not None else []
        found: dict[str, list[Value]] = {}
        for prefix, segment, start in rows:
            for state in self.weights:
                w = state.value
                parameter = f"{prefix}.{state.parameter}"
                own = self.at.state(
                    f"{prefix}.{w.name}", segment, w.dtype, w.shape, parameter, state.order, w.name if start is None else start
                )
                found.setdefault(w.name, []).append(own.value)
        return found

    def _norm2(self, gradients: Mapping[str, Value]) -> Value:
        """The squared length of the whole gradient."""
        parts = [self.b.sum_to(operand(0) * operand(0), [gradient], gradient.shape, (1, 1)) for gradient in gradients.values()]
        return self._total(parts) if parts else self.b.constant(0.0, (1, 1))

    def _total(self, parts: Sequence[Value]) -> Value:
        """Added a few at a time: a net may have ten thousand tensors, and a map reads a few."""
        while len(parts) > 1:
            groups = [parts[at : at + ADDED] for at in range(0, len(parts), ADDED)]
            parts = [self.b.map(reduce(add, map(operand, range(len(group)))), *group) for group in groups]
        return parts[0]

    def _shrink(self, norm2: Value) -> Value | None:
        """What shortens the gradient to the norm that the recipe allows."""
        if self.recipe.clip is None:
            return None
        return self.b.map(minimum(self.recipe.clip * rsqrt(operand(0)), wrap(1)), norm2)

    def _parameter(self, state: State, gradient: Value, beside: Sequence[Value], shrink: Value | None, ok: Value) -> None:
        settings = self.recipe.settings(state.parameter.rpartition(".")[0])
        self.b.origin = f"update {state.parameter}"
        w = state.value
        if shrink is not None:
            gradient = self.b.map(operand(0) * operand(1), gradient, self.b.reshape(shrink, (1,) * len(gradient.shape)))
        rate = self.b.map(settings.rate * operand(0), self.at.control("rate", self.plan.dtype, self.rule.rate))
        slots, average = beside[: self.rule.slots], beside[self.rule.slots :]
        new, moved = self.rule.lower(self.at, w, gradient, slots, rate, self._decay(state, settings.decay))
        self._succeed(w, new, ok)
        for slot, value in zip(slots, moved, strict=True):
            self._succeed(slot, value, ok)
        for value in average:
            share = 1 - (self.recipe.ema or 0)
            self._succeed(value, self.b.map(operand(0) + share * (operand(1) - operand(0)), value, new), ok)

    def _decay(self, state: State, factor: float) -> float:
        if state.parameter in self.spared and not self.rule.decay_norms_and_biases:
            return 0.0
        return factor * self.rule.weight_decay

    def _succeed(self, state: Value, new: Value, ok: Value) -> None:
        """The new value in a step that is finite, else the old one."""
        chosen = select(operand(0), operand(1), operand(2))
        flag = self.b.reshape(ok, (1,) * len(state.shape))
        self.at.succeed(state, self.b.map(chosen, flag, new, state, shape=state.shape))


def _gradients(program: Program) -> dict[str, Value]:
    """By parameter."""
    return {name.removeprefix(GRADIENT): value for name, value in program.outputs.items() if name.startswith(GRADIENT)}
