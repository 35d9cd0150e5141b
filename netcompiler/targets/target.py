"""What a target is: offers by instruction, and the machine's speed, which together are the cost model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from netcompiler.instructions.op import flops, traffic
from netcompiler.plan import HALVES, MAIN, Instruction
from netcompiler.targets.packing import Packing

Reason = str
"""Why something cannot be; empty when it can."""


def always(instruction: Instruction) -> Reason:
    return ""


def not_single(instruction: Instruction) -> Reason:
    """For kernels that read and write f32."""
    other = next((value for value in (*instruction.operands, *instruction.results) if value.dtype in ("f64", *HALVES)), None)
    return f"it computes in f32, and {other.name} is {other.dtype}" if other else ""


def none(instruction: Instruction) -> int:
    return 0


def nothing(instruction: Instruction) -> tuple[int, ...]:
    return ()


class Work(NamedTuple):
    """What is computed and what crosses memory."""

    flops: float
    bytes: float


def plain(instruction: Instruction) -> Work:
    """No more than what is asked for."""
    return Work(flops(instruction), traffic(instruction))


@dataclass(frozen=True)
class Offer:
    """A way to run an instruction, which gives the same numbers each time. `refuses` gives the reason where it cannot; `work` is
    what it does, and `speed` and `stream` are the shares of the machine's peak arithmetic and memory speed that it reaches
    meanwhile."""

    kernel: str
    algorithm: str = ""
    refuses: Callable[[Instruction], Reason] = always
    workspace: Callable[[Instruction], int] = none
    packs: Packing | None = None
    """A form of an operand that it reads beside it."""
    finishes: bool = False
    """Whether it computes a map on its results before it writes them."""
    places: bool = False
    """Whether that map may ask for positions, and read a number of each picture."""
    behind: Callable[[Instruction], Reason] = always
    """The reason why it does not compute just this map, or why it needs one."""
    gathers: Callable[[Instruction], tuple[int, ...]] = nothing
    """Of a core the operands that it can compute by a map where it reads them."""
    library: bool = False
    """Whether it asks a library, which has several engines for it, and may have none."""
    work: Callable[[Instruction], Work] = plain
    speed: float = 1.0
    stream: float = 1.0
    exact: bool = True
    resort: bool = False
    """Whether it is taken only where nothing else can run an instruction."""

    @property
    def name(self) -> str:
        return f"{self.kernel}.{self.algorithm}" if self.algorithm else self.kernel

    def cannot(self, instruction: Instruction) -> Reason:
        """Why it does not run an instruction; empty where it does."""
        return self.refuses(instruction.core) or self._stands_alone(instruction) or self.behind(instruction)

    def _stands_alone(self, instruction: Instruction) -> Reason:
        """Why it computes no maps around a core."""
        core, gathered = instruction.core, {value for inner in instruction.gathered for value in inner.results}
        if instruction.finish and not self.finishes:
            return "it computes no map behind it"
        taken = self.gathers(core) if gathered else ()
        odd = [value.name for i, value in enumerate(core.operands) if value in gathered and i not in taken]
        return f"it reads {odd[0]} as it lies" if odd else ""

    def running(self, instruction: Instruction, engine: str = "") -> Instruction:
        """The instruction, run by this."""
        workspace = self.workspace(instruction.core)
        return instruction.having(kernel=self.kernel, algorithm=self.algorithm, engine=engine, workspace=workspace, lane=MAIN)


@dataclass(frozen=True)
class Target:
    """Offers by op; `flops` and `bytes` are what the machine does in a second at best."""

    name: str
    offers: Mapping[str, tuple[Offer, ...]]
    flops: float
    bytes: float
    math: str = ""
    """What products are computed in unless the recipe asks for more: tf32. Empty: what their operands are kept in."""
    lanes: tuple[str, ...] = (MAIN,)
    """What runs instructions at once."""
    channels: int = 1
    """Channels of the pictures that first convolutions read are filled up to a multiple of so many."""
    depth: int = 0
    """Strides of first convolutions go into the channels where that makes no more than so many."""

    def offered(self, instruction: Instruction) -> list[Offer]:
        """For a fused instruction with a core, offers for the core, which may not compute what is around it."""
        return list(self.offers.get(instruction.core.op, ()))

    def seconds(self, offer: Offer, instruction: Instruction) -> float:
        """The slower of computing and moving, at the shares that the offer reaches."""
        work = offer.work(instruction)
        return max(work.flops / (self.flops * offer.speed), work.bytes / (self.bytes * offer.stream))
