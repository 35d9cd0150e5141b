"""What a legal plan is: sixteen rules, each a small function. The output of any stage can be checked.

programs.py has the rules for instructions, state.py those for what outlives a program, memory.py those for where values lie, lanes.py
those for what runs at once.
"""

from __future__ import annotations

from netcompiler.plan import Plan
from netcompiler.verify import lanes, memory, programs, state
from netcompiler.verify.rule import Faults, IllegalPlan, Rule

RULES: tuple[Rule, ...] = (
    programs.defined_once,
    programs.typed,
    programs.halves,
    state.successors,
    state.gradients,
    programs.bodies,
    programs.offered,
    programs.sums_are_wide,
    state.kept_wide,
    memory.inside,
    memory.written_over,
    memory.members,
    memory.runs,
    lanes.lanes,
    lanes.bytes_of_lanes,
    programs.streams,
    state.prepared,
    programs.collectives,
    memory.no_larger_than_needed,
    programs.nothing_dead,
    programs.printable,
)


def faults(plan: Plan) -> Faults:
    """Everything that is wrong, rule by rule; a rule may count on those before it."""
    for rule in RULES:
        number = (rule.__doc__ or "").partition(":")[0]
        yield from (f"rule {number}: {fault}" for fault in rule(plan))


def verify(plan: Plan) -> None:
    """Raises IllegalPlan with the first rule that a plan breaks."""
    for fault in faults(plan):
        raise IllegalPlan(fault)


__all__ = ["RULES", "IllegalPlan", "faults", "verify"]
