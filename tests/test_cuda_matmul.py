"""Products by cuBLASLt: what it is told means what the oracle computes."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import pytest
from compiled import close, expected, narrowed, normal
from cuda_cublas import Blas
from cuda_host import ON_GPU, HostDriver, results
from test_cpu_conv import PRODUCTS

from netcompiler.passes.finish import finished
from netcompiler.passes.select import select
from netcompiler.passes.why import silent
from netcompiler.plan import Instruction, Plan, Program, Value, site
from netcompiler.scalar import Expr, operand, relu, unary
from netcompiler.targets import Chooser
from netcompiler.targets.cuda import CUDA
from runtime.arrays import numbers
from runtime.device import Refused
from runtime.kernels import cuda
from runtime.kernels.behind import Behind
from runtime.kernels.cuda import cublas, library

F32 = np.dtype(np.float32)
ROOM = 4096
OPEN = cublas.blas
A, B, C = map(operand, range(3))


@pytest.fixture(autouse=True)
def blas(monkeypatch: pytest.MonkeyPatch) -> Blas:
    made = Blas()
    if not ON_GPU:
        monkeypatch.setattr(cublas, "blas", lambda: made)
    return made


@pytest.mark.parametrize("gap", [0, 5])
@pytest.mark.parametrize("ta", [False, True])
@pytest.mark.parametrize("tb", [False, True])
@pytest.mark.parametrize("sizes", PRODUCTS)
def test_rows_and_columns(sizes: tuple[int, int, int], ta: bool, tb: bool, gap: int) -> None:
    rows, inner, columns = sizes
    a = normal(*((inner, rows) if ta else (rows, inner)), seed=1)
    b = normal(*((columns, inner) if tb else (inner, columns)), seed=2)
    if not inner:
        assert offer().cannot(product(a.shape, b.shape, (rows, columns), ta, tb)) == "there is nothing to sum"
        return
    types, how = [((rows, columns), F32)], {"ta": ta, "tb": tb}
    [y] = results("matmul_cublas", types, a, b, gap=gap, workspace=ROOM, **how)
    close(y, expected("matmul", types, a, b, **how)[0])


@pytest.mark.parametrize("dtype", ["f16", "bf16"])
def test_numbers_of_16_bits(dtype: str) -> None:
    a, b = narrowed(normal(13, 33, seed=1), dtype), narrowed(normal(70, 33, seed=2), dtype)
    [y] = results("matmul_cublas", [((13, 70), a.dtype)], a, b, workspace=ROOM, ta=False, tb=True)
    close(numbers(y), expected("matmul", [((13, 70), F32)], numbers(a), numbers(b), ta=False, tb=True)[0], 1e-2)


BATCHES = {
    "one": ((5, 3, 4), (5, 4, 6), (5,)),
    "shared": ((5, 3, 4), (4, 6), (5,)),
    "shared by rows": ((2, 1, 3, 4), (2, 5, 4, 6), (2, 5)),
    "outer": ((2, 1, 3, 4), (1, 5, 4, 6), (2, 5)),
    "three": ((2, 3, 1, 3, 4), (1, 2, 4, 6), (2, 3, 2)),
}


@pytest.mark.parametrize("name", BATCHES)
def test_batches(name: str) -> None:
    left, right, batch = BATCHES[name]
    a, b = normal(*left, seed=1), normal(*right, seed=2)
    types, how = [((*batch, 3, 6), F32)], {"ta": False, "tb": False}
    [y] = results("matmul_cublas", types, a, b, workspace=ROOM, **how)
    close(y, expected("matmul", types, a, b, **how)[0])


def product(a: Any, b: Any, y: Any, ta: bool = False, tb: bool = True) -> Instruction:
    read = Value("a", "f32", a), Value("b", "f32", b)
    return Instruction((Value("y", "f32", y),), "matmul", read, {"ta": ta, "tb": tb})


def offer() -> Any:
    return CUDA.offers["matmul"][0]


ENDS = {
    "relu": relu(A),
    "bias": A + B,
    "bias, relu": relu(A + B),
    "beside": C + A,
    "beside, relu": relu(A + C),
    "bias, beside, relu": relu(A + B + C),
}
LINEAR = product((7, 33), (12, 33), (7, 12))
OUT = Value("z", "f32", (7, 12))


def ended(expr: Expr) -> Plan:
    read = (LINEAR.result, Value("bias", "f32", (12,)), Value("r", "f32", (7, 12)))
    outer = Instruction((OUT,), "map", read, {"exprs": (expr,), "shape": (7, 12), "dtype": "f32"})
    return Plan("x", "infer", 7, "cuda", "f32", {}, {"infer": finished(Program("infer", (LINEAR, outer), {"z": OUT}), CUDA, silent)})


@pytest.mark.parametrize("kernel", ["matmul_cublas", "matmul_apart"])
@pytest.mark.parametrize("name", ENDS)
def test_what_stands_behind_a_product(name: str, kernel: str) -> None:
    [fused] = ended(ENDS[name]).programs["infer"].instructions
    assert [each.name for each in Chooser(CUDA).able(fused)] == ["matmul.cublas", "matmul.apart"]
    x, w, b, r = normal(7, 33, seed=1), normal(12, 33, seed=2), normal(12, seed=3), normal(7, 12, seed=4)
    own = Behind((ENDS[name],), [np.full((7, 12), np.nan, F32)], [None, b, r])
    workspace, driver = np.empty(ROOM, np.uint8), HostDriver()
    steps = list(cuda.KERNELS[kernel](own.results[0], x, w, ta=False, tb=True, workspace=workspace, behind=own))
    assert len(steps) == (1 if kernel == "matmul_cublas" else 2)
    for step in steps:
        step.prepare(driver)
        step.run(driver)
    [y] = expected("matmul", [((7, 12), F32)], x, w, ta=False, tb=True)
    [wanted] = expected("map", [((7, 12), F32)], y, b, r, exprs=own.exprs, shape=(7, 12), dtype="f32")
    close(own.results[0], wanted)


@pytest.mark.parametrize("expr", [unary("tanh", A), A * B, relu(A) + B, A + A], ids=str)
def test_other_maps_follow(expr: Expr) -> None:
    assert [i.op for i in ended(expr).programs["infer"]] == ["matmul", "map"]


def prepared(blas: Blas, room: int = ROOM, **how: Any) -> dict[str, Any]:
    """The operation as cuBLASLt was told of it, once it can run."""
    y, x, w = np.zeros((7, 12), F32), np.zeros((7, 33), F32), np.zeros((12, 33), F32)
    [step] = cuda.KERNELS["matmul_cublas"](y, x, w, ta=False, tb=True, workspace=np.empty(room, np.uint8), **how)
    step.prepare(HostDriver())
    [plan] = step.plans.values()
    return {**blas.made[plan.arguments[1].value], "algorithm": plan.arguments[12]._obj.data[0]}


def test_f32_is_multiplied_whole_unless_less_is_asked_for(blas: Blas) -> None:
    assert prepared(blas)["compute"] == 68
    assert prepared(blas, math="tf32")["compute"] == 77


def test_the_algorithm_is_the_first_that_fits_or_the_one_that_was_measured(blas: Blas) -> None:
    assert prepared(blas)["algorithm"] == 12
    assert prepared(blas, room=100)["algorithm"] == 13
    names = cublas.engines(cublas.Task(*[cublas.matrix(np.zeros((4, 4), F32))] * 3, ta=False, tb=False), ROOM, cublas.handle(0))
    assert names == ["0c", "0d"]
    assert prepared(blas, engine="0d")["algorithm"] == 13
    with pytest.raises(Refused, match="0c"):
        prepared(blas, engine="0c", room=100)
    with pytest.raises(Refused, match="fe"):
        prepared(blas, engine="fe")


def test_a_fact_names_the_algorithm() -> None:
    plan = Plan("x", "infer", 7, "cuda", "f32", {}, {"infer": Program("infer", (LINEAR,), {"y": LINEAR.result})})
    facts = {site(LINEAR): {"matmul.cublas": 1e-6, "matmul.cublas:0d": 9e-7, "matmul.cublas:0c": 2e-6}}
    assert select(plan, Chooser(CUDA, facts)).programs["infer"].instructions[0].engine == "0d"


def test_structures_are_as_large_as_in_the_header() -> None:
    assert (ctypes.sizeof(cublas.Algorithm), ctypes.sizeof(cublas.Found)) == (64, 96)


def test_without_cublas_the_command_that_brings_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "opened", lambda name: None)
    OPEN.cache_clear()
    with pytest.raises(library.Missing, match=r"cuBLASLt is not installed: pip install 'netc\[cuda13\]'"):
        OPEN()
