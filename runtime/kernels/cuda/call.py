"""A step that a library of NVIDIA's runs: a task on arrays, and the plan that the library makes of it for a driver."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from runtime.arrays import Array
from runtime.kernels.cuda.driver import Driver

Task = TypeVar("Task")
Plan = TypeVar("Plan")


@dataclass(eq=False)
class Call(ABC, Generic[Task, Plan]):
    """The result is the first of the arrays, then what it reads. The plan is made before anything runs."""

    task: Task
    arrays: Sequence[Array]
    workspace: Array
    engine: str = ""
    plans: dict[Driver, Plan] = field(default_factory=dict)

    @property
    def reads(self) -> Sequence[Array]:
        return self.arrays[1:]

    @property
    def writes(self) -> Sequence[Array]:
        return (self.arrays[0], self.workspace)

    @abstractmethod
    def prepare(self, driver: Driver) -> None: ...

    @abstractmethod
    def run(self, driver: Driver) -> None: ...

    @abstractmethod
    def engines(self, driver: Driver) -> list[str]:
        """The ways that the library knows for it."""
