"""cuDNN's front end on this processor: the calls that the target makes, and what they mean, computed by JAX."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import jax
import numpy as np
from jax import lax
from numpy.lib.stride_tricks import as_strided

from runtime.arrays import Array, dtype_of, numbers, write

DTYPES = {"FLOAT": dtype_of("f32"), "HALF": dtype_of("f16"), "BFLOAT16": dtype_of("bf16")}
PLANS = (("eng7_k2=1", 1 << 40, ()), ("eng5_k2=3", 128, ("TENSOR_CORE",)), ("eng0", 64, ()), ("eng1", 0, ("NONDETERMINISTIC",)))
"""Name, workspace and notes, as heuristics would list them."""

OPENED = 77
"""A handle."""


class cudnnGraphNotSupportedError(Exception):  # noqa: N801 - its own name
    pass


class Names:
    """An enumeration: each name is its own value."""

    def __getattr__(self, name: str) -> str:
        return name


class Tensor:
    def __init__(self, value: Callable[[Mapping[int, int]], Array]) -> None:
        self.value = value
        self.said: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Callable[[Any], Tensor]:
        what = name.removeprefix("set_")

        def say(value: Any) -> Tensor:
            self.said[what] = value
            return self

        return say


class Graph:
    def __init__(self, *, intermediate_data_type: str, compute_data_type: str, handle: int) -> None:
        assert intermediate_data_type == compute_data_type == "FLOAT"
        assert handle == OPENED
        self.made: list[Tensor] = []
        self.without: list[str] = []
        self.room = 1 << 62
        self.built: set[int] = set()

    # what is described

    def tensor(self, *, dim: Sequence[int], stride: Sequence[int], data_type: str, uid: int) -> Tensor:
        return Tensor(lambda at: numbers(at_address(at[uid], dim, stride, data_type)))

    def conv_fprop(self, *, image: Tensor, weight: Tensor, **how: Any) -> Tensor:
        return self._made(lambda at: np.asarray(fprop(image.value(at), weight.value(at), **how)))

    def conv_dgrad(self, *, loss: Tensor, filter: Tensor, **how: Any) -> Tensor:
        def value(at: Mapping[int, int]) -> Array:
            w = filter.value(at)
            _, back = jax.vjp(lambda x: fprop(x, w, **how), np.zeros(made.said["dim"], np.float32))
            return np.asarray(back(loss.value(at))[0])

        made = self._made(value)
        return made

    def conv_wgrad(self, *, image: Tensor, loss: Tensor, **how: Any) -> Tensor:
        def value(at: Mapping[int, int]) -> Array:
            x = image.value(at)
            _, back = jax.vjp(lambda w: fprop(x, w, **how), np.zeros(made.said["dim"], np.float32))
            return np.asarray(back(loss.value(at))[0])

        made = self._made(value)
        return made

    def add(self, *, a: Tensor, b: Tensor) -> Tensor:
        return self._made(lambda at: a.value(at) + b.value(at))

    def relu(self, *, input: Tensor) -> Tensor:
        return self._made(lambda at: np.maximum(input.value(at), 0))

    def _made(self, value: Callable[[Mapping[int, int]], Array]) -> Tensor:
        self.made.append(Tensor(value))
        return self.made[-1]

    # how it is planned

    def validate(self) -> None:
        assert self.made[-1].said["output"] is True

    def build_operation_graph(self) -> None:
        return

    def create_execution_plans(self, modes: Sequence[str]) -> None:
        assert list(modes) == ["A", "FALLBACK"]

    def deselect_numeric_notes(self, notes: Sequence[str]) -> None:
        self.without = list(notes)

    def deselect_workspace_greater_than(self, room: int) -> None:
        self.room = room

    def get_execution_plan_count(self) -> int:
        return len(PLANS)

    def get_plan_name_at_index(self, index: int) -> str:
        return PLANS[index][0]

    def get_workspace_size_plan_at_index(self, index: int) -> int:
        return PLANS[index][1]

    def build_plan_at_index(self, index: int) -> None:
        _, workspace, notes = PLANS[index]
        if workspace > self.room or set(notes) & set(self.without):
            raise cudnnGraphNotSupportedError("Deselecting execution plan")
        self.built.add(index)

    def execute_plan_at_index(self, addresses: Mapping[int, int], workspace: int, index: int, handle: int) -> None:
        assert index in self.built
        assert handle == OPENED
        result = self.made[-1]
        y = at_address(addresses[result.said["uid"]], result.said["dim"], result.said["stride"], result.said["data_type"])
        write(y, result.value(addresses))


def at_address(address: int, dims: Sequence[int], strides: Sequence[int], dtype: str) -> Array:
    own = DTYPES[dtype]
    size = 1 + sum((n - 1) * step for n, step in zip(dims, strides, strict=True))
    memory = np.frombuffer((ctypes.c_uint8 * (size * own.itemsize)).from_address(address), own)
    return as_strided(memory, dims, [step * own.itemsize for step in strides])


def fprop(x: Any, w: Any, *, pre_padding: Any, post_padding: Any, stride: Any, dilation: Any) -> Any:
    """Axes are (n, c, sides), and (k, c/g, taps)."""
    sides = "DHW"[-len(stride) :]
    layout = ("NC" + sides, "OI" + sides, "NC" + sides)
    pads = list(zip(pre_padding, post_padding, strict=True))
    assert all(before >= 0 and behind >= 0 for before, behind in pads)
    groups = x.shape[1] // w.shape[1]
    return lax.conv_general_dilated(
        x, w, stride, pads, rhs_dilation=dilation, dimension_numbers=layout, feature_group_count=groups, precision="highest"
    )


FRONT = SimpleNamespace(
    cudnnGraphNotSupportedError=cudnnGraphNotSupportedError,
    data_type=Names(),
    numerical_note=Names(),
    heur_mode=Names(),
    pygraph=Graph,
    create_handle=lambda: OPENED,
    set_stream=lambda handle, stream: None,
)
