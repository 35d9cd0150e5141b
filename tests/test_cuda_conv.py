"""Convolutions by cuDNN: what it is told means what the oracle computes; what it does not do is refused while compiling."""

from __future__ import annotations

import sys
from dataclasses import replace
from math import inf, prod
from typing import Any

import cuda_cudnn
import numpy as np
import pytest
from compiled import Array, close, expected, narrowed, normal, spaced
from cuda_host import ON_GPU, HostDriver, results
from test_cpu_conv import CASES, operands

from netcompiler.passes.finish import finished
from netcompiler.passes.select import select
from netcompiler.passes.why import silent
from netcompiler.plan import ALIGNED, Axis, Home, Instruction, Plan, Program, Value, site
from netcompiler.scalar import Expr, operand, parts, relu, unary
from netcompiler.targets import Chooser
from netcompiler.targets.cuda import CUDA
from netcompiler.targets.sites import sites
from runtime.arrays import numbers
from runtime.device import Refused
from runtime.kernels import cuda
from runtime.kernels.behind import Behind
from runtime.kernels.cuda import cudnn, library
from runtime.kernels.cuda.device import Gpu
from runtime.tune import timed

F32 = np.dtype(np.float32)
ROOM = 4096
OPEN = cudnn.front


@pytest.fixture(autouse=True)
def front(monkeypatch: pytest.MonkeyPatch) -> None:
    if not ON_GPU:
        monkeypatch.setattr(cudnn, "front", lambda: cuda_cudnn.FRONT)


def kernels(case: Any) -> dict[str, tuple[tuple[Array, ...], tuple[int, ...], dict[str, Any]]]:
    """For each op what it reads, the shape of what it makes, and its attributes."""
    x, w, y = operands(case)
    how = {"window": case[4], "groups": case[5]}
    return {
        "conv": ((x, w), y.shape, how),
        "conv_dx": ((y, w), x.shape, {**how, "size": x.shape[1:-1]}),
        "conv_dw": ((x, y), w.shape, how),
    }


@pytest.mark.parametrize("way", ["cudnn", "dense"])
@pytest.mark.parametrize("gap", [0, 5])
@pytest.mark.parametrize("op", ["conv", "conv_dx", "conv_dw"])
@pytest.mark.parametrize("name", CASES)
def test_windows_of_all_kinds(name: str, op: str, gap: int, way: str) -> None:
    read, shape, how = kernels(CASES[name])[op]
    if reason := refusal(op, shape, read, how):
        assert (name, op, reason) == ("cells left out", "conv_dx", "windows leave out cells at a side")
        return
    room = ROOM + sum(x.nbytes + ALIGNED for x in read) + prod(shape) * F32.itemsize
    [made] = results(f"{op}_{way}", [(shape, F32)], *read, gap=gap * (op != "conv_dw"), workspace=room, **how)
    [wanted] = expected(op, [(shape, F32)], *read, **how)
    close(made, wanted)


@pytest.mark.parametrize("dtype", ["f16", "bf16"])
@pytest.mark.parametrize("op", ["conv", "conv_dx", "conv_dw"])
def test_numbers_of_16_bits(op: str, dtype: str) -> None:
    read, shape, how = kernels(CASES["dilation, groups"])[op]
    read = tuple(narrowed(x, dtype) for x in read)
    [made] = results(f"{op}_cudnn", [(shape, read[0].dtype)], *read, workspace=ROOM, **how)
    [wanted] = expected(op, [(shape, F32)], *map(numbers, read), **how)
    close(numbers(made), wanted, 1e-2)


def refusal(op: str, shape: tuple[int, ...], read: tuple[Array, ...], how: dict[str, Any]) -> str:
    values = [Value(f"%{i}", "f32", x.shape) for i, x in enumerate(read)]
    instruction = Instruction((Value("%9", "f32", shape),), op, tuple(values), how)
    [offer] = [offer for offer in CUDA.offers[op] if offer.algorithm == "cudnn"]
    return offer.cannot(instruction)


X, W, Y = Value("x", "f32", (2, 9, 9, 20)), Value("w", "f32", (48, 3, 3, 20)), Value("y", "f32", (2, 9, 9, 48))
BIAS, BESIDE, OUT = Value("b", "f32", (48,)), Value("r", "f32", Y.shape), Value("z", "f32", Y.shape)
PRODUCT = Instruction((Y,), "conv", (X, W), {"window": (Axis(3, 1, 1, 1),) * 2, "groups": 1})
A, B, C = map(operand, range(3))

ENDS = {
    "bias": A + B,
    "bias, relu": relu(A + B),
    "residual, bias, relu": relu(A + B + C),
    "bias, residual": C + (A + B),
}


def behind(expr: Expr) -> Behind:
    b, r = normal(48, seed=3), normal(*Y.shape, seed=4)
    return Behind((expr,), [np.full(Y.shape, np.nan, F32)], [None, b, r])


def ended(expr: Expr) -> Plan:
    """A convolution and a map behind it, as the passes leave them."""
    outer = Instruction((OUT,), "map", (Y, BIAS, BESIDE), {"exprs": (expr,), "shape": Y.shape, "dtype": "f32"})
    program = Program("infer", (PRODUCT, outer), {"z": OUT})
    return Plan("x", "infer", 2, "cuda", "f32", {}, {"infer": finished(program, CUDA, silent)})


@pytest.mark.parametrize("kernel", ["conv_cudnn", "conv_apart", "conv_dense"])
@pytest.mark.parametrize("name", ENDS)
def test_what_stands_behind_a_convolution(name: str, kernel: str) -> None:
    x, w = normal(*X.shape, seed=1), normal(*W.shape, seed=2)
    own = behind(ENDS[name])
    workspace = np.empty(ROOM, np.uint8)
    steps = list(cuda.KERNELS[kernel](own.results[0], x, w, **PRODUCT.attributes, workspace=workspace, behind=own))
    assert len(steps) == (1 if kernel == "conv_cudnn" else 2)
    driver = HostDriver()
    for step in steps:
        step.prepare(driver)
        step.run(driver)
    [y] = expected("conv", [(Y.shape, F32)], x, w, **PRODUCT.attributes)
    [wanted] = expected("map", [(Y.shape, F32)], y, *own.operands[1:], exprs=own.exprs, shape=Y.shape, dtype="f32")
    close(own.results[0], wanted)


@pytest.mark.parametrize("name", ENDS)
def test_a_map_that_cudnn_computes_is_written_into_the_convolution_and_has_another_offer(name: str) -> None:
    plan = ended(ENDS[name])
    [fused] = plan.programs["infer"].instructions
    able = Chooser(CUDA).able(fused)
    assert [offer.name for offer in able] == ["conv.cudnn", "conv.apart"]
    assert taken(plan, {}) == "cudnn"
    refused = {site(fused): {"conv.cudnn": inf}}
    assert taken(plan, refused) == "apart"
    assert "conv.cudnn: it cannot be built" in Chooser(CUDA, refused).because(fused)


def taken(plan: Plan, facts: Any) -> str:
    return select(plan, Chooser(CUDA, facts)).programs["infer"].instructions[0].algorithm


@pytest.mark.parametrize("expr", [relu(A), relu(A + C), A * B, relu(A + B + C) + B, unary("tanh", A + B), A + B + 1], ids=str)
def test_other_maps_follow(expr: Expr) -> None:
    plan = ended(expr)
    assert [i.op for i in plan.programs["infer"]] == ["conv", "map"]
    assert taken(plan, {}) == "cudnn"


def test_of_engines_the_fastest_is_asked_for_by_its_name() -> None:
    facts = {site(PRODUCT): {"conv.cudnn": 1e-3, "conv.cudnn:eng5_k2=3": 2e-3, "conv.cudnn:eng0": 9e-4}}
    plan = Plan("x", "infer", 2, "cuda", "f32", {}, {"infer": Program("infer", (PRODUCT,), {"y": Y})})
    assert select(plan, Chooser(CUDA)).programs["infer"].instructions[0].engine == ""
    assert select(plan, Chooser(CUDA, facts)).programs["infer"].instructions[0].engine == "eng0"


def test_what_no_library_builds_is_the_last_resorts() -> None:
    """First of all copies of what has gaps."""
    plan = Plan("x", "infer", 2, "cuda", "f32", {}, {"infer": Program("infer", (PRODUCT,), {"y": Y})}, {"": {}, "infer": {}})
    [each] = sites(plan, Chooser(CUDA))
    assert [trial.offer for trial in each.trials] == ["conv.cudnn"]
    assert taken(plan, {site(PRODUCT): {"conv.cudnn": inf, "conv.cudnn:eng0": 1e-3}}) == "cudnn"
    none = {"conv.cudnn": inf, "conv.cudnn:eng0": inf}
    assert taken(plan, {site(PRODUCT): none}) == "dense"
    assert taken(plan, {site(PRODUCT): {**none, "conv.dense": inf}}) == "plain"


def test_gaps_are_copied_out_and_in() -> None:
    read, shape, how = kernels(CASES["3x3"])["conv"]
    whole, lying = np.empty(shape, F32), [spaced(x, 3) for x in read]
    apart = spaced(np.empty(shape, F32), 3)

    def ops(y: Array, *read: Array) -> list[str]:
        steps = cuda.KERNELS["conv_dense"](y, *read, **how, workspace=np.empty(1 << 20, np.uint8))
        return [type(step).__name__ for step in steps]

    assert ops(whole, *read) == ["Convolution"]
    assert ops(whole, lying[0], read[1]) == ["Launch", "Convolution"]
    assert ops(apart, *lying) == ["Launch", "Launch", "Convolution", "Launch"]


def test_an_offer_is_timed_by_each_engine() -> None:
    plan = Plan("x", "infer", 2, "cuda", "f32", {}, {"infer": Program("infer", (PRODUCT,), {"y": Y})})
    homes = {value.name: Home("own", 0) for value in (X, W, Y)}
    [each] = sites(replace(plan, homes={"": homes, "infer": {}}), Chooser(CUDA))
    facts = timed(each, Gpu(HostDriver()))[each.name]
    assert list(facts) == ["conv.cudnn", "conv.cudnn:eng0"]
    assert all(0 < seconds < inf for seconds in facts.values())


def planned(dtype: Any = F32, room: int = ROOM, **how: Any) -> cudnn.Plan:
    x, w, y = (np.zeros(value.shape, dtype) for value in (X, W, Y))
    [step] = cuda.KERNELS["conv_cudnn"](y, x, w, **PRODUCT.attributes, workspace=np.empty(room, np.uint8), **how)
    driver = HostDriver()
    step.prepare(driver)
    [plan] = step.plans.values()
    return plan


def test_f32_is_multiplied_whole_unless_less_is_asked_for() -> None:
    assert planned().name == "eng0"
    assert planned(math="tf32").name == "eng5_k2=3"


def test_a_plan_fits_into_its_workspace_or_there_is_none() -> None:
    assert planned(math="tf32", room=100).name == "eng0"
    with pytest.raises(Refused, match="within 10 bytes"):
        planned(room=10)
    with pytest.raises(Refused, match="eng5_k2=3"):
        planned(engine="eng5_k2=3")


def test_what_is_left_out_is_said() -> None:
    four = Instruction((Y,), "conv", (X, W), {"window": (Axis(3),) * 4, "groups": 1})
    mixed = Instruction((Y,), "conv", (X, Value("w", "f64", W.shape)), PRODUCT.attributes)
    offer = CUDA.offers["conv"][0]
    assert offer.cannot(four) == "4 sides, and 3 are the most"
    assert offer.cannot(mixed) == "numbers of f32 and f64"
    assert offer.cannot(PRODUCT) == ""
    assert parts(relu(A + B))[0] == "relu"


def test_without_cudnn_the_command_that_brings_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cudnn", None)
    OPEN.cache_clear()
    with pytest.raises(library.Missing, match=r"cuDNN is not installed: pip install 'netc\[cuda13\]'"):
        OPEN()
