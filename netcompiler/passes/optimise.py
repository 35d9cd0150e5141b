"""From gradients to successors: finiteness, clipping, the optimizer's rule for each parameter, the running average.

Every successor is select(ok, new, old): a step that is not finite changes nothing and can be replayed.
"""

from __future__ import annotations

from functools import reduce

from netcompiler.builder import Builder
from netcompiler.lowering import Lowering
from netcompiler.optimisers import Optimizer
from netcompiler.passes.differentiate import GRADIENT
from netcompiler.plan import Plan, Program, State, Value
from netcompiler.recipe import Recipe
from netcompiler.scalar import add, make, minimum, operand, rsqrt, select, wrap


def optimise(plan: Plan, recipe: Recipe | None, spared: frozenset[str]) -> Plan:
    """`spared` are the parameters that decay leaves alone unless it is told otherwise: biases and norms."""
    step = plan.programs.get("step")
    if step is None or recipe is None or recipe.optimizer is None:
        return plan
    states = dict(plan.states)
    updated = _Update(plan, step, states, recipe, recipe.optimizer, spared).program()
    programs = {**plan.programs, "step": updated}
    return Plan(plan.spec, plan.mode, plan.batch, plan.target, plan.dtype, states, programs)


class _Update:
    def __init__(
        self, plan: Plan, step: Program, states: dict[str, State], recipe: Recipe, rule: Optimizer, spared: frozenset[str]
    ) -> None:
        self.plan, self.step, self.recipe, self.rule, self.spared = plan, step, recipe, rule, spared
        self.b = Builder(plan.dtype, step.instructions)
        self.at = Lowering(self.b, states, plan.batch, True)
        self.gradients = {name.removeprefix(GRADIENT): value for name, value in step.outputs.items() if name.startswith(GRADIENT)}

    def program(self) -> Program:
        self.b.origin = "update"
        norm2 = self._norm2()
        ok = self.b.map(make("isfinite", operand(0) + operand(1)), norm2, self.step.outputs["loss"])
        shrink = self._shrink(norm2)
        for name, value in self.step.successors.items():
            self._succeed(self.plan.states[name].value, value, ok)
        for name, gradient in self.gradients.items():
            self._parameter(self.plan.states[name], gradient, shrink, ok)
        self.at.succeed(tick := self.at.control("tick", "i64"), self.b.map(make("cast", operand(0) + 1, leaf="i64"), tick))
        outputs = {name: value for name, value in self.step.outputs.items() if not name.startswith(GRADIENT)}
        return Program("step", tuple(self.b.instructions), {**outputs, "norm2": norm2}, self.at.successors, self.step.forward)

    def _norm2(self) -> Value:
        """The squared length of the whole gradient."""
        parts = []
        for gradient in self.gradients.values():
            parts.append(self.b.sum_to(operand(0) * operand(0), [gradient], gradient.shape, (1, 1)))
        return self.b.map(reduce(add, map(operand, range(len(parts)))), *parts)

    def _shrink(self, norm2: Value) -> Value | None:
        """What shortens the gradient to the norm that the recipe allows."""
        if self.recipe.clip is None:
            return None
        return self.b.map(minimum(self.recipe.clip * rsqrt(operand(0)), wrap(1)), norm2)

    def _parameter(self, state: State, gradient: Value, shrink: Value | None, ok: Value) -> None:
        settings = self.recipe.settings(state.parameter.rpartition(".")[0])
        self.b.origin = f"update {state.parameter}"
        w = state.value
        if shrink is not None:
            gradient = self.b.map(operand(0) * operand(1), gradient, self.b.reshape(shrink, (1,) * len(gradient.shape)))
        factor = settings.rate if settings.rate is not None else 1.0
        rate = self.b.map(factor * operand(0), self.at.control("rate", self.plan.dtype, self.rule.rate))
        slots = [
            self.at.state(f"slot{i}.{w.name}", "slots", w.dtype, w.shape, f"slot{i}.{state.parameter}", state.order).value
            for i in range(self.rule.slots)
        ]
        new, moved = self.rule.lower(self.at, w, gradient, slots, rate, self._decay(state, settings.decay))
        self._succeed(w, new, ok)
        for slot, value in zip(slots, moved, strict=True):
            self._succeed(slot, value, ok)
        if self.recipe.ema is not None:
            average = self.at.state(
                f"average.{w.name}", "average", w.dtype, w.shape, f"average.{state.parameter}", state.order, w.name
            ).value
            self._succeed(average, self.b.map(operand(0) + (1 - self.recipe.ema) * (operand(1) - operand(0)), average, new), ok)

    def _decay(self, state: State, factor: float | None) -> float:
        """Biases and norms are spared; a layer's own factor says otherwise for it."""
        if factor is None:
            factor = 0.0 if state.parameter in self.spared and not self.rule.decay_norms_and_biases else 1.0
        return float(factor * self.rule.weight_decay)

    def _succeed(self, state: Value, new: Value, ok: Value) -> None:
        """The new value in a step that is finite, else the old one."""
        chosen = select(operand(0), operand(1), operand(2))
        flag = self.b.reshape(ok, (1,) * len(state.shape))
        self.at.succeed(state, self.b.map(chosen, flag, new, state, shape=state.shape))
