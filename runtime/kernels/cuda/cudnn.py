"""Convolutions by cuDNN: a graph of one, with what becomes of its results, and the plan that runs it.

Its names differ from ours: fprop is conv, dgrad conv_dx, wgrad conv_dw. Axes are (n, c, sides) there, whatever the strides.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

from netcompiler.plan import Axis
from runtime.arrays import Array, name_of
from runtime.device import Refused
from runtime.kernels.cuda import library

RESULT = 0
"""The number of the result among a graph's tensors; operands count from 1."""

DTYPES = {"f32": "FLOAT", "f16": "HALF", "bf16": "BFLOAT16"}


class Tensor(NamedTuple):
    dims: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: str


class End(NamedTuple):
    """What becomes of results: an operand is added, or a function applied."""

    op: str
    operand: Tensor | None = None


class Task(NamedTuple):
    """A convolution with its ends. Without `math` numbers of f32 are multiplied as they are."""

    op: str
    result: Tensor
    operands: tuple[Tensor, Tensor]
    window: tuple[Axis, ...]
    math: str = ""
    ends: tuple[End, ...] = ()


class Plan(NamedTuple):
    """One of cuDNN's ways to do a task, ready to run."""

    graph: Any
    number: int
    name: str
    workspace: int

    def run(self, addresses: Mapping[int, int], workspace: int, handle: int) -> None:
        self.graph.execute_plan_at_index(addresses, workspace, self.number, handle)


def tensor(array: Array) -> Tensor:
    """With two sides at least: a line is a picture of height 1."""
    shape, steps = list(array.shape), [step // array.itemsize for step in array.strides]
    if len(shape) == 3:
        shape.insert(1, 1)
        steps.insert(1, shape[2] * steps[1])
    return Tensor(_outward(shape), _outward(steps), name_of(array))


def channels(array: Array, rank: int) -> Tensor:
    """One number for each channel."""
    n = array.size
    return Tensor((1, n, *(1,) * (rank - 2)), (n, 1, *(n,) * (rank - 2)), name_of(array))


def _outward(axes: list[int]) -> tuple[int, ...]:
    return (axes[0], axes[-1], *axes[1:-1])


def handle(stream: int) -> int:
    """What a driver opens once for its stream."""
    made: int = front().create_handle()
    front().set_stream(made, stream)
    return made


def planned(task: Task, room: int, engine: str = "", **where: Any) -> Plan:
    """The first of cuDNN's plans that builds and needs no more than so many bytes; with `engine` the one of that name.

    `where` it runs: a handle, or a GPU's properties."""
    graph = _graph(task, room, where)
    for i in range(graph.get_execution_plan_count()):
        name = graph.get_plan_name_at_index(i)
        if engine in ("", name) and _builds(graph, i):
            return Plan(graph, i, name, graph.get_workspace_size_plan_at_index(i))
    raise Refused(f"cuDNN has no plan{f' {engine}' * bool(engine)} for it within {room:,} bytes")


def engines(task: Task, room: int, **where: Any) -> list[str]:
    """The names of all plans that build, the most promising first."""
    graph = _graph(task, room, where)
    return list(dict.fromkeys(graph.get_plan_name_at_index(i) for i in range(graph.get_execution_plan_count()) if _builds(graph, i)))


def _builds(graph: Any, i: int) -> bool:
    try:
        graph.build_plan_at_index(i)
    except front().cudnnGraphNotSupportedError:
        return False
    return True


def _graph(task: Task, room: int, where: Mapping[str, Any]) -> Any:
    """Ready to be planned: sums in f32, their order always the same."""
    cudnn = front()
    single, notes = cudnn.data_type.FLOAT, cudnn.numerical_note
    graph = cudnn.pygraph(intermediate_data_type=single, compute_data_type=single, **where)
    made = _described(graph, task)
    made.set_output(True).set_uid(RESULT).set_data_type(_dtype(task.result))
    made.set_dim(list(task.result.dims)).set_stride(list(task.result.strides))
    try:
        graph.validate()
        graph.build_operation_graph()
        graph.create_execution_plans([cudnn.heur_mode.A, cudnn.heur_mode.FALLBACK])
    except (cudnn.cudnnGraphNotSupportedError, RuntimeError) as error:
        raise Refused(f"cuDNN: {error}") from None
    exact = [] if task.math or task.result.dtype != "f32" else [notes.TENSOR_CORE]
    graph.deselect_numeric_notes([notes.NONDETERMINISTIC, notes.DOWN_CONVERT_INPUTS, notes.REDUCED_PRECISION_REDUCTION, *exact])
    graph.deselect_workspace_greater_than(room)
    return graph


def _described(graph: Any, task: Task) -> Any:
    """A task in a graph: its result there."""
    window = (Axis(1),) * (len(task.result.dims) - 2 - len(task.window)) + task.window
    how = {
        "pre_padding": [axis.low for axis in window],
        "post_padding": [axis.high for axis in window],
        "stride": [axis.stride for axis in window],
        "dilation": [axis.dilation for axis in window],
    }
    a, b = (_input(graph, own, number) for number, own in enumerate(task.operands, 1))
    if task.op == "conv":
        made = graph.conv_fprop(image=a, weight=b, **how)
    elif task.op == "conv_dx":
        made = graph.conv_dgrad(loss=a, filter=b, **how)
    else:
        made = graph.conv_wgrad(image=a, loss=b, **how)
    made.set_dim(list(task.result.dims)).set_stride(list(task.result.strides))
    for number, end in enumerate(task.ends, 3):
        made = graph.add(a=made, b=_input(graph, end.operand, number)) if end.operand else getattr(graph, end.op)(input=made)
    return made


def _input(graph: Any, own: Tensor, number: int) -> Any:
    return graph.tensor(dim=list(own.dims), stride=list(own.strides), data_type=_dtype(own), uid=number)


def _dtype(own: Tensor) -> Any:
    return getattr(front().data_type, DTYPES[own.dtype])


@cache
def front() -> Any:
    """The front end. What cuDNN compiles as it runs is compiled by NVRTC, which is there before."""
    library.version()
    try:
        import cudnn

        cudnn.backend_version()
    except (ImportError, RuntimeError):
        raise library.Missing("cuDNN is not installed: pip install 'netc[cuda13]', or 'netc[cuda12]' for an older driver") from None
    return cudnn
