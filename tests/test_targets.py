"""Offers and kernels: each target offers what exists, and nothing else; facts decide where there is a choice."""

from __future__ import annotations

import inspect

import pytest

from netcompiler.instructions import OPS
from netcompiler.passes.select import select
from netcompiler.plan import Instruction, Plan, Program, Value, site
from netcompiler.targets import TARGETS, Chooser, NoOffer, Offer, Target
from runtime.kernels import cpu, cuda
from runtime.kernels.numpy import KERNELS

A, B = Value("%1", "f32", (8, 64)), Value("%2", "f32", (8, 64))


def plan_of(instruction: Instruction) -> Plan:
    program = Program("infer", (instruction,), {"y": instruction.result})
    return Plan("x", "infer", 8, "toy", "f32", {}, {"infer": program})


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> Target:
    def odd(instruction: Instruction) -> str:
        return "odd width" if instruction.result.shape[-1] % 2 else ""

    offers = (Offer("plain", speed=0.1, stream=0.1), Offer("wide", refuses=odd), Offer("loose", speed=2, stream=2, exact=False))
    target = Target("toy", {"reshape": offers}, 1e9, 1e9)
    monkeypatch.setitem(TARGETS, "toy", target)
    return target


def chosen(plan: Plan) -> str:
    return plan.programs["infer"].instructions[0].kernel


def test_numpy_offers_exactly_the_kernels_that_exist() -> None:
    offered = {offer.kernel for offers in TARGETS["numpy"].offers.values() for offer in offers} - {"body"}
    assert offered == set(OPS)
    assert offered <= set(KERNELS)


@pytest.mark.parametrize("op", sorted(OPS))
def test_a_kernel_takes_attributes_by_name_only(op: str) -> None:
    kinds = {p.name: p.kind for p in inspect.signature(KERNELS[op]).parameters.values()}
    assert "self" not in kinds
    assert all(
        kind in (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.KEYWORD_ONLY)
        for kind in kinds.values()
    )


def test_cpu_offers_nothing_but_kernels_that_exist() -> None:
    offered = {offer for offers in TARGETS["cpu"].offers.values() for offer in offers if offer.kernel != "oracle"}
    assert {f"{offer.kernel}_{offer.algorithm}".rstrip("_") for offer in offered} <= set(cpu.KERNELS)


@pytest.mark.parametrize("op", sorted(set(KERNELS) & set(cpu.KERNELS)))
def test_compiled_kernels_take_what_the_oracle_takes(op: str) -> None:
    theirs, ours = (list(inspect.signature(kernels[op]).parameters) for kernels in (cpu.KERNELS, KERNELS))
    assert [name for name in theirs if name in ours] == ours


PACKING = {"pack"}
"""What only targets with packed weights have."""


def test_cuda_offers_what_exists_and_something_for_every_instruction() -> None:
    offers = TARGETS["cuda"].offers
    assert offers.keys() == {*OPS, "fused", "flat"} - PACKING
    assert {f"{offer.kernel}_{offer.algorithm}".rstrip("_") for own in offers.values() for offer in own} <= set(cuda.KERNELS)


@pytest.mark.parametrize("op", sorted(set(KERNELS) & set(cuda.KERNELS)))
def test_kernels_for_gpus_take_what_the_oracle_takes(op: str) -> None:
    theirs, ours = (list(inspect.signature(kernels[op]).parameters) for kernels in (cuda.KERNELS, KERNELS))
    assert [name for name in theirs if name in ours] == ours


def test_the_cheapest_offer_that_fits_is_taken(toy: Target) -> None:
    even = Instruction((B,), "reshape", (A,), {"shape": (8, 64)})
    odd = Instruction((Value("%2", "f32", (8, 63)),), "reshape", (Value("%1", "f32", (8, 63)),), {"shape": (8, 63)})
    assert chosen(select(plan_of(even), Chooser(toy))) == "loose"
    assert chosen(select(plan_of(even), Chooser(toy, exact=True))) == "wide"
    assert chosen(select(plan_of(odd), Chooser(toy, exact=True))) == "plain"


def test_a_measured_fact_beats_the_formula(toy: Target) -> None:
    instruction = Instruction((B,), "reshape", (A,), {"shape": (8, 64)})
    facts = {site(instruction): {"loose": float("inf"), "wide": 2.0, "plain": 1.0}}
    assert chosen(select(plan_of(instruction), Chooser(toy, facts))) == "plain"


def test_a_site_is_what_is_computed_and_not_where() -> None:
    one = Instruction((B,), "reshape", (A,), {"shape": (8, 64)}, origin="a.yaml:1 x")
    same = Instruction((Value("%9", "f32", (8, 64)),), "reshape", (Value("%7", "f32", (8, 64)),), {"shape": (8, 64)}, origin="b.yaml:2 y")
    other = Instruction((Value("%9", "f64", (8, 64)),), "reshape", (Value("%7", "f64", (8, 64)),), {"shape": (8, 64)})
    assert site(one) == site(same) != site(other)


def test_an_instruction_without_an_offer_is_named(toy: Target) -> None:
    with pytest.raises(NoOffer, match="toy cannot run transpose"):
        select(plan_of(Instruction((B,), "transpose", (A,), {"order": (0, 1)})), Chooser(toy))
