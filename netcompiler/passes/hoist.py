"""What depends on state alone moves to `prepare`, which runs when state has changed: folded norms, turned weights, tables."""

from __future__ import annotations

from dataclasses import replace

from netcompiler.plan import Instruction, Plan, Program, State, Value

LASTING = ("parameters", "statistics", "frozen", "average")
HOSTS = ("evaluate", "infer")


def hoist(plan: Plan) -> Plan:
    if plan.mode != "infer":  # in training state changes all the time, and what is made of it would only take room
        return plan
    lasting = frozenset(state.value for state in plan.states.values() if state.segment in LASTING)
    prepare = _Prepare(lasting)
    programs = {name: prepare.relieve(program) if name in HOSTS else program for name, program in plan.programs.items()}
    if not prepare.states:
        return plan
    states = {**plan.states, **prepare.states}
    return replace(plan, states=states, programs={**programs, "prepare": prepare.program()})


class _Prepare:
    """The program under construction; equal instructions of several programs stand in it once."""

    def __init__(self, lasting: frozenset[Value]) -> None:
        self.lasting = lasting
        self.instructions: list[Instruction] = []
        self.numbers: dict[object, tuple[Value, ...]] = {}
        self.states: dict[str, State] = {}
        self.successors: dict[str, Value] = {}
        self.derived: dict[Value, Value] = {}
        self.origins: dict[Value, str] = {}
        self.count = 0

    def program(self) -> Program:
        return Program("prepare", tuple(self.instructions), {}, self.successors)

    def relieve(self, program: Program) -> Program:
        """The program without its lasting part: it reads the results as state."""
        here: dict[Value, Value] = {}
        left: list[Instruction] = []
        for instruction in program:
            if all(value in self.lasting or value in here for value in instruction.reads):
                here.update(zip(instruction.results, self.take(instruction.reading(here)), strict=True))
            else:
                read = {value: self.state(here[value]) for value in instruction.reads if value in here}
                left.append(instruction.reading(read))
        outputs = {name: self.state(here[value]) if value in here else value for name, value in program.outputs.items()}
        return replace(program, instructions=tuple(left), outputs=outputs)

    def take(self, instruction: Instruction) -> tuple[Value, ...]:
        inner = tuple((i.op, i.operands, i.results, tuple(i.attributes.items())) for i in instruction.body)
        key = (instruction.op, instruction.operands, tuple(instruction.attributes.items()), inner)
        if key not in self.numbers:
            names = {value: self.fresh(value) for value in instruction.results}
            body = tuple(replace(i, results=tuple(names.get(value, value) for value in i.results)) for i in instruction.body)
            results = tuple(names.values())
            self.instructions.append(replace(instruction, results=results, body=body))
            self.origins.update(dict.fromkeys(results, instruction.origin))
            self.numbers[key] = results
        return self.numbers[key]

    def fresh(self, value: Value) -> Value:
        self.count += 1
        return Value(f"%{self.count}", value.dtype, value.shape)

    def state(self, value: Value) -> Value:
        """The state that holds a result for the other programs."""
        if value not in self.derived:
            own = Value(f"derived{len(self.derived)}", value.dtype, value.shape)
            self.derived[value] = own
            self.states[own.name] = State(own, "derived", origin=self.origins[value])
            self.successors[own.name] = value
        return self.derived[value]
