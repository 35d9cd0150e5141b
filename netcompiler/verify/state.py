"""What programs may do to state, and who has a gradient."""

from __future__ import annotations

from netcompiler.passes.differentiate import GRADIENT
from netcompiler.passes.hoist import HOSTS, LASTING
from netcompiler.plan import Plan
from netcompiler.verify.rule import STATIC, WIDE, Faults, at, lines

KEPT = ("parameters", "statistics", "frozen", "slots", "average", "sums")
FIXED = ("frozen", "inputs")


def successors(plan: Plan) -> Faults:
    """2: a successor has its state's type; what only reads names none."""
    for program in plan.programs.values():
        if program.successors and program.name in (*STATIC, "gradients"):
            yield f"{program.name} changes state"
        for name, value in program.successors.items():
            state = plan.states.get(name)
            if state is None:
                yield f"{program.name}: {value} succeeds {name}, which is no state"
            elif (value.dtype, value.shape) != (state.value.dtype, state.value.shape):
                yield f"{program.name}: {value} cannot succeed {state.value}"
            elif state.segment in FIXED:
                yield f"{program.name} changes {name}, which is {state.segment}"


def gradients(plan: Plan) -> Faults:
    """4: every trainable parameter has a gradient, or a fact says why not; nothing else has one."""
    program = plan.programs.get("gradients")
    if program is None or not program.forward:
        return
    trainable = {name for name, state in plan.states.items() if state.segment == "parameters"}
    found = {name.removeprefix(GRADIENT) for name in program.outputs if name.startswith(GRADIENT)}
    for name in sorted(trainable - found):
        if not any(fact.startswith(f"{name} ") for fact in plan.facts):
            yield f"{name} has no gradient"
    for name in sorted(found - trainable):
        yield f"{name} has a gradient and is no parameter"


def kept_wide(plan: Plan) -> Faults:
    """7: state is kept in 32 bits or more."""
    for name, state in plan.states.items():
        if state.segment in KEPT and state.value.dtype not in WIDE:
            yield f"{name} is kept as {state.value.dtype}"


def prepared(plan: Plan) -> Faults:
    """13: what is prepared depends on lasting state and constants alone, and is read where nothing changes."""
    for program, instruction in lines(plan):
        for value in instruction.operands:
            segment = plan.states[value.name].segment if value.name in plan.states else ""
            if program.name == "prepare" and segment and segment not in LASTING:
                yield f"{at(program, instruction)}: reads {value.name}, which is {segment}"
            if segment == "derived" and program.name not in HOSTS:
                yield f"{at(program, instruction)}: reads {value.name}, which may be stale there"
    for program in plan.programs.values():
        for name in program.successors:
            segment = plan.states[name].segment if name in plan.states else ""
            if (segment == "derived") != (program.name == "prepare"):
                yield f"{program.name} writes {name}, which is {segment}"
