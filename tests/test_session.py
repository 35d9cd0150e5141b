"""Plans opened on arrays: what may be fed, smaller batches, memory that is poisoned, names and orders outside."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import small

import netcompiler
import runtime
from netcompiler.diagnostics import SpecError
from runtime.session import InputError, Session

X, Y = small.pictures(4), small.labels(4)


@pytest.fixture(scope="module")
def session() -> Session:
    return Session(small.planned(small.text(small.NORMED)))


def test_the_documented_api() -> None:
    plan = netcompiler.compile(
        "lenet", mode="train", batch=8, target="numpy", dtype="float32", settings={"classes": 7, "input": [1, 36, 36]}
    )
    s = runtime.open(plan, seed=0)
    x, y = small.pictures(8, (1, 36, 36)), small.labels(8, 7)
    assert {"loss", "top1", "top5"} <= s.step(x, y).keys()
    assert s.run(x).shape == (8, 7)
    loss, gradients = s.gradients(x, y)
    assert loss == pytest.approx(s.evaluate(x, y)["loss"], rel=1e-6)
    assert {name: g.shape for name, g in gradients.items()} == {name: w.shape for name, w in s.parameters().items()}


def test_reading_a_spec_imports_nothing_of_the_back_half() -> None:
    code = "import netcompiler, sys; netcompiler.load('lenet'); print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"numpy", "netcompiler.compilation", "netcompiler.passes", "netcompiler.builder", "runtime"} & set(modules)


@pytest.mark.parametrize(("option", "value"), [("mode", "test"), ("dtype", "f16")])
def test_compile_names_what_it_knows(option: str, value: str) -> None:
    with pytest.raises(ValueError, match=f"{option} is .* or .*, not '{value}'"):
        netcompiler.compile("mlp", **{option: value})


@pytest.mark.parametrize("batch", [-1, 2.5, True, "8"])
def test_a_batch_is_a_whole_number(batch: Any) -> None:
    with pytest.raises(ValueError, match="batch is a whole number of pictures, or 0 for the recipe's own, not "):
        netcompiler.compile("lenet", batch=batch)


def test_a_spec_with_errors_is_refused() -> None:
    with pytest.raises(SpecError, match="`clases` is neither"):
        netcompiler.compile("lenet", settings={"clases": 3})


def bad(x: Any, value: Any) -> Any:
    x = x.copy()
    x.flat[-1] = value
    return x


WRONG: list[tuple[str, Any, Any, str]] = [
    ("channels", X[:, :1], Y, r"input is \[2, 6, 6\] for each row, and \[1, 6, 6\] is given"),
    ("channels last", np.moveaxis(X, 1, -1), Y, r"and \[6, 6, 2\] is given"),
    ("no rows axis", X[0], Y, "rows differ|for each row"),
    ("whole numbers", X.astype(np.int64), Y, "takes uint8 or floating-point numbers, and int64 is given"),
    ("texts", np.full(X.shape, "a"), Y, "takes uint8 or floating-point numbers"),
    ("complex", X.astype(complex), Y, "and complex128 is given"),
    ("not a number", bad(X, np.nan), Y, "input holds values that are not finite"),
    ("infinity", bad(X, np.inf), Y, "not finite"),
    ("ragged", [[1.0], [1.0, 2.0]], Y, "input is no array"),
    ("nothing", None, Y, "give input"),
    ("no rows", X[:0], Y[:0], "input has no rows"),
    ("too many rows", np.concatenate([X, X]), np.concatenate([Y, Y]), "for batches of 4 rows or fewer, and 8 are given"),
    ("other rows", X, Y[:3], "rows differ: input has 4, output has 3"),
    ("no targets", X, None, "give output"),
    ("unknown input", {"image": X}, Y, "there is no input `image`; there is input"),
    ("unknown target", X, {"label": Y}, "there is no target `label`; there is output"),
    ("missing target", X, {}, "output is missing"),
    ("labels too large", X, bad(Y, 5), "output goes from 0 to 4, and 5 is given"),
    ("negative labels", X, bad(Y, -1), "output goes from 0 to 4, and -1 is given"),
    ("labels in floats", X, Y.astype(float), "takes the numbers of classes, and float64 is given"),
    ("one-hot labels", X, np.eye(5, dtype=int)[Y], r"output is one number for each row, and \[5\] is given"),
]


@pytest.mark.parametrize(("x", "y", "message"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG])
@pytest.mark.parametrize("call", ["step", "evaluate", "gradients"])
def test_a_wrong_batch_is_refused_before_anything_runs(session: Session, call: str, x: Any, y: Any, message: str) -> None:
    before = {name: array.copy() for name, array in session.binding.memory.items()}
    with pytest.raises(InputError, match=message):
        getattr(session, call)(x, y)
    assert all(np.array_equal(array, before[name]) for name, array in session.binding.memory.items())


def test_too_large_for_float32() -> None:
    with pytest.raises(InputError, match="not finite in float32"):
        Session(small.planned(small.text(small.NORMED), dtype="f32")).run(X * 1e300)


def test_bytes_are_parts_of_255(session: Session) -> None:
    x = np.random.default_rng(0).integers(0, 256, X.shape).astype(np.uint8)
    np.testing.assert_allclose(session.run(x), session.run(x / 255), rtol=1e-12)


LOADS: list[tuple[str, Any, str]] = [
    ("conv.bais", np.zeros(4), "there is no parameter `conv.bais`"),
    ("conv.weight", np.zeros((4, 3, 3, 2)), r"conv.weight is \[4, 2, 3, 3\], and \[4, 3, 3, 2\] is given"),
    ("fc.bias", np.full(5, "a"), "fc.bias takes numbers"),
]


@pytest.mark.parametrize(("name", "value", "message"), LOADS)
def test_load_sets_all_or_nothing(session: Session, name: str, value: Any, message: str) -> None:
    before = session.parameters()
    with pytest.raises(InputError, match=message):
        session.load({"bn.weight": np.zeros(4), name: value})
    small.same(session.parameters(), before)


LASTING = "augment: [flip], optimizer: {adam: 0.01}, ema: 0.9"


@pytest.mark.parametrize("target", ["numpy", "cpu"])
def test_what_follows_depends_on_the_state_alone(target: str) -> None:
    """A session that takes another's state goes on like it, to the last bit: noise, averages, slots and statistics."""
    plan = small.planned(small.text(small.MIXED, train=LASTING), dtype="f32", target=target)
    one, other = Session(plan), Session(plan)
    for turn in range(3):
        one.step(X, Y, epoch=turn)
    other.restore(one.state())
    assert [one.step(X, Y, epoch=9), one.evaluate(X, Y)] == [other.step(X, Y, epoch=9), other.evaluate(X, Y)]
    small.same(one.state(), other.state(), 0)
    assert any(np.any(value != one.state()[name]) for name, value in Session(plan).state().items())


def test_a_state_goes_from_target_to_target() -> None:
    spec = small.text(small.MIXED, train=LASTING)
    one, other = (Session(small.planned(spec, dtype="f32", target=target)) for target in ("numpy", "cpu"))
    one.step(X, Y)
    other.restore(one.state())
    small.same(one.step(X, Y), other.step(X, Y), 1e-4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("slot0.fc.bias"), "slot0.fc.bias is missing"),
        (lambda state: [state.pop(name) for name in list(state)], "conv.weight, conv.bias, .* and others are missing"),
        (lambda state: state.update({"more": np.zeros(1)}), "no parameter `more`"),
        (lambda state: state.update({"fc.bias": np.zeros(6)}), r"fc.bias is \[5\], and \[6\] is given"),
    ],
)
def test_a_state_of_another_plan_is_refused(change: Any, message: str) -> None:
    session = Session(small.planned(small.text(small.NORMED, train="optimizer: {adam: 0.01}")))
    before, state = session.state(), session.state()
    state["conv.weight"] += 1
    change(state)
    with pytest.raises(InputError, match=message):
        session.restore(state)
    small.same(session.state(), before, 0)


def test_a_plan_for_inference_has_no_step() -> None:
    s = Session(small.planned(small.text(small.NORMED), mode="infer"))
    assert s.run(X[:2]).shape == (2, 5)
    with pytest.raises(InputError, match="no program `step`"):
        s.step(X, Y)


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("layers", [small.NORMED, small.MIXED], ids=["normed", "mixed"])
def test_a_smaller_batch_is_as_a_smaller_plan(layers: str, rows: int) -> None:
    """Statistics, gradients, noise and metrics: all that a row without a picture could reach."""
    spec = small.text(layers, train="optimizer: {adam: {rate: 0.01, epsilon: 1e-4}}")
    large, own = Session(small.planned(spec, 5)), Session(small.planned(spec, rows))
    for turn in range(3):
        x, y = small.pictures(rows, seed=turn), small.labels(rows, seed=turn)
        full = small.pictures(5, seed=9), small.labels(5, seed=9)
        large.run(full[0])  # what an earlier batch left in the slots counts for nothing
        one, other = large.gradients(x, y), own.gradients(x, y)
        assert one[0] == pytest.approx(other[0], rel=1e-12)
        small.same(one[1], other[1], 1e-10)
        small.same(large.step(x, y), own.step(x, y), 1e-10)
        small.same(large.parameters(), own.parameters(), 1e-9)
        small.same(large.evaluate(x, y), own.evaluate(x, y), 1e-9)
        np.testing.assert_allclose(large.run(x), own.run(x), rtol=1e-9)


POISONED = [
    small.text(small.NORMED),
    small.text(small.MIXED, train="optimizer: {rmsprop: {rate: 0.01, momentum: 0.9}}, ema: 0.9, clip: 1"),
    small.text(small.MIXED, train="optimizer: {adamw: 0.01}, accumulate: 2"),
]


@pytest.mark.parametrize("spec", POISONED, ids=["normed", "mixed", "accumulated"])
@pytest.mark.parametrize("dtype", ["f32", "f64"])
def test_memory_that_holds_nothing_is_not_read(spec: str, dtype: str) -> None:
    plan = small.planned(spec, 2 if "accumulate" in spec else 4, dtype)
    plain, poisoned = Session(plan), Session(plan, poison=True)
    for call in ("step", "evaluate", "step", "evaluate"):
        rows = 4 if call == "step" else plan.batch
        assert getattr(plain, call)(X[:rows], Y[:rows]) == getattr(poisoned, call)(X[:rows], Y[:rows])
    small.same(plain.parameters(), poisoned.parameters(), 0)
    np.testing.assert_array_equal(plain.run(X[:2]), poisoned.run(X[:2]))


@pytest.mark.parametrize("spec", ["lenet:1998", "resnet-cifar:20", "steerable:mirror"])
def test_nets_of_the_zoo_do_not_read_poison(spec: str) -> None:
    small_ = {"resnet-cifar:20": {"depth": 1, "input": [3, 12, 12]}, "steerable:mirror": {"input": [1, 12, 12]}}
    plan = netcompiler.compile(spec, batch=2, settings=small_.get(spec, {"train.augment": []}))
    [slot] = [state.value for name, state in plan.states.items() if name.startswith("in.")]
    x, y = small.pictures(2, (slot.shape[-1], *slot.shape[1:-1])), small.labels(2, 10)
    plain, poisoned = Session(plan), Session(plan, poison=True)
    assert plain.step(x, y) == poisoned.step(x, y)
    small.same(plain.parameters(), poisoned.parameters(), 0)


def test_poison_shows_what_was_not_computed() -> None:
    """Without one of its instructions a program gives NaN, where it gave a plausible number of the step before."""
    plan = small.planned(small.text(small.NORMED))
    for poison in (False, True):
        session = Session(plan, poison=poison)
        session.evaluate(X, Y)
        calls = session.binding.calls["evaluate"]
        del calls[next(position for position, call in enumerate(calls) if "function conv " in repr(call))]
        assert np.isnan(session.evaluate(X, Y)["loss"]) == poison


@pytest.mark.parametrize("extra", ["", ", ema: 0.9", ", augment: [crop: {padding: 1}, mixup: 0.3]", ", accumulate: 2"])
@pytest.mark.parametrize("target", ["numpy", "cpu"])
def test_what_only_measures_gives_training_s_figures(target: str, extra: str) -> None:
    """To the last bit, without what a step takes."""
    spec = small.text(small.NORMED, train=f"optimizer: {{adam: 0.01}}{extra}")
    training, measuring = (Session(small.planned(spec, 2, "f32", mode, target)) for mode in ("train", "evaluate"))
    x, y = X.astype(np.float32), Y
    for at in (0, 2, 0):
        training.step(x[at : at + 2], y[at : at + 2])
    measuring.load(training.parameters(average=True))
    assert measuring.evaluate(x[:2], y[:2]) == training.evaluate(x[:2], y[:2])
    assert np.array_equal(measuring.run(x[:2]), training.run(x[:2]))
    assert set(measuring.plan.programs) == {"evaluate", "infer"}
    assert not measuring.plan.segments.keys() & {"gradients", "slots", "average", "sums"}
