"""Augmentation against direct formulas, and what it does not depend on: batches, their order, how they are split, where a run goes on."""

from __future__ import annotations

import colorsys
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import small
from interpreter import computed
from PIL import Image, ImageEnhance, ImageOps

from netcompiler import scalar
from netcompiler.builder import Builder
from netcompiler.compilation import Job, stages
from netcompiler.lowering import Lowering, key_of
from netcompiler.pictures import Pictures
from netcompiler.plan import Value
from netcompiler.recipe.ranges import beta
from runtime.data.scale import Scale
from runtime.kernels.numpy import KERNELS
from runtime.session import InputError, Session

Array = Any


class Changed:
    """The pictures of one batch after the augmentations of a recipe, and how they came about."""

    def __init__(
        self, augment: str, x: Array, sides: Sequence[int] = (), places: Any = None, epoch: int = 0, tick: int = 0, more: str = ""
    ):
        rows, channels, *slot = x.shape
        shape = [channels, *(sides or slot)]
        graph, recipe = small.read(small.text("\n  - flatten\n  - linear: 5\n", train=f"augment: [{augment}]{more}", shape=str(shape)))
        at = Lowering(Builder("f64"), {}, rows, True)
        at.b.origin = "test"
        self.pictures = Pictures(at, recipe, graph.inputs[0], tuple(slot), x.dtype == np.uint8)
        for augmentation in recipe.augment:
            augmentation.lower(self.pictures)
        result = self.pictures.normalized()
        target = self.pictures.mixed(at.state("target", "inputs", "f64", (rows, rows)).value)
        numbers = {
            "in.input": np.moveaxis(x, 1, -1),
            "places": np.reshape(range(rows) if places is None else places, (rows, 1)).astype(np.int64),
            "target": np.eye(rows),
            **{name: np.array(value) for name, value in {"epoch": epoch, "tick": tick, "valid": rows}.items()},
            **{f"{name}.input": np.full(channels, value) for name, value in {"mean": 0.4, "std": 0.5}.items()},
        }
        self.instructions = at.b.instructions
        values = {**numbers, **computed(self.instructions, numbers)}
        self.x, self.shares = np.moveaxis(values[result.name], -1, 1), values[target.name]


def pictures(rows: int, channels: int = 3, sides: tuple[int, int] = (8, 6), seed: int = 0) -> Array:
    return np.random.default_rng([seed, rows]).uniform(size=(rows, channels, *sides))


def drawn(kind: str, rows: int, count: int, epoch: int = 0, turn: int = 1) -> Array:
    """Numbers of the stream of an augmentation: one row for each picture."""
    bits = np.empty((rows, count), np.uint32)
    places = np.arange(rows)[:, None]
    KERNELS["random"](bits, places, np.array(epoch), key=key_of("", f"{kind} {turn}"), rows=rows, columns=count)
    return (bits >> 8) / 2**24


def between(u: Array, low: float, high: float) -> Array:
    return low + (high - low) * u


# motions


def sampled(x: Array, matrix: Array, shift: Array, border: str, filter: str) -> Array:
    """y(matrix p + shift) = x(p), counted from the centre; pixel by pixel."""
    sides = x.shape[1:]
    centre = (np.array(sides) - 1) / 2
    y = np.zeros_like(x)
    for cell in np.ndindex(*sides):
        place = np.linalg.inv(matrix) @ (cell - centre - shift) + centre
        if filter == "nearest":
            y[:, *cell] = pixel(x, np.floor(place + 0.5).astype(int), border)
            continue
        low = np.floor(place).astype(int)
        for corner in np.ndindex(2, 2):
            weight = np.prod(np.where(corner, place - low, 1 - (place - low)))
            y[:, *cell] += weight * pixel(x, low + corner, border)
    return y


def pixel(x: Array, cell: Array, border: str) -> Array:
    sides = np.array(x.shape[1:])
    if border == "mirror":
        cell = np.where(cell % (2 * sides) < sides, cell % (2 * sides), 2 * sides - 1 - cell % (2 * sides))
    if border == "zero" and ((cell < 0) | (cell >= sides)).any():
        return np.zeros(len(x))
    row, column = np.clip(cell, 0, sides - 1)
    return x[:, row, column]


WHOLE_TABLE = "rotate: [0, 360], translate: 2, scale: 1.6, flip: 0.5, shear: 20, stretch: 1.3"


@pytest.mark.parametrize(
    "options",
    ["rotate: 40", "translate: [-3, 1]", "scale: 1.5", "flip: 0.5", "shear: [0, 45]", "stretch: [0.5, 2]", WHOLE_TABLE]
    + [f"{WHOLE_TABLE}, border: {border}, filter: {filter}" for border in ("edge", "mirror") for filter in ("nearest", "bilinear")],
)
def test_affine(options: str) -> None:
    x = pictures(6, 2, (7, 6))
    found = Changed(f"affine: {{{options}}}", x, epoch=3)
    [affine] = found.pictures.recipe.augment
    for picture, y, u in zip(x, found.x, drawn("affine", 6, 7, epoch=3), strict=True):
        angle, shear = (math.radians(between(v, *around_0(limits))) for v, limits in ((u[0], affine.rotate), (u[5], affine.shear)))
        scale, stretch = (
            math.exp(between(v, *map(math.log, around_1(limits)))) for v, limits in ((u[3], affine.scale), (u[6], affine.stretch))
        )
        rotation = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
        mirror = np.diag([1, -1 if affine.flip and u[4] < affine.flip else 1])
        lean = np.array([[1, 0], [-math.tan(shear), 1]])
        shift = np.array([between(v, *around_0(affine.translate)) for v in u[1:3]])
        matrix = scale * np.diag([1, stretch]) @ lean @ mirror @ rotation
        np.testing.assert_allclose(y, sampled(picture, matrix, shift, affine.border, affine.filter), atol=1e-9)


def around_0(limits: Any) -> tuple[float, float]:
    return tuple(limits) if isinstance(limits, list) else (-(limits or 0), limits or 0)


def around_1(limits: Any) -> tuple[float, float]:
    return tuple(limits) if isinstance(limits, list) else (1 / (limits or 1), limits or 1)


EXACT: list[tuple[str, Callable[[Array], Array]]] = [
    ("affine: {rotate: [90, 90]}", lambda x: np.rot90(x, 1, (2, 3))),
    ("affine: {translate: [2, 2]}", lambda x: np.pad(x, ((0, 0), (0, 0), (2, 0), (2, 0)))[:, :, :8, :8]),
    ("affine: {scale: [2, 2], filter: nearest}", lambda x: x[:, :, 2:6, 2:6].repeat(2, 2).repeat(2, 3)),
    ("affine: {stretch: [2, 2], filter: nearest}", lambda x: x[:, :, :, 2:6].repeat(2, 3)),
    ("affine: {flip: 1}", lambda x: x[..., ::-1]),
    ("flip: {probability: 1}", lambda x: x[..., ::-1]),
    ("flip: {probability: 1, direction: vertical}", lambda x: x[:, :, ::-1]),
    ("flip: {probability: 1}, flip: {probability: 1, direction: vertical}", lambda x: x[:, :, ::-1, ::-1]),
    ("flip: {probability: 0}", lambda x: x),
    ("crop", lambda x: x),
    ("erasing: {probability: 0}", lambda x: x),
    ("color_jitter: {}", lambda x: x),
]


@pytest.mark.parametrize(("augment", "meaning"), EXACT, ids=[row[0] for row in EXACT])
def test_what_is_certain(augment: str, meaning: Callable[[Array], Array]) -> None:
    x = pictures(3, 2, (8, 8))
    np.testing.assert_allclose(Changed(augment, x).x, meaning(x), atol=1e-12)


def test_turns_and_mirrors_as_in_pillow() -> None:
    x = np.random.default_rng(0).integers(0, 256, (1, 3, 9, 9), np.uint8)
    picture = Image.fromarray(np.moveaxis(x[0], 0, -1))
    for augment, other in (
        ("affine: {rotate: [90, 90], filter: nearest}", picture.rotate(90)),
        ("affine: {rotate: [-90, -90], filter: nearest}", picture.rotate(-90)),
        ("flip: {probability: 1}", ImageOps.mirror(picture)),
        ("flip: {probability: 1, direction: vertical}", ImageOps.flip(picture)),
    ):
        np.testing.assert_array_equal(np.rint(Changed(augment, x).x[0] * 255), np.moveaxis(np.asarray(other), -1, 0))


def ramps(rows: int, sides: tuple[int, int]) -> Array:
    """The first channel counts rows, the second columns: a motion shows where it reads."""
    down, across = np.meshgrid(*map(np.arange, sides), indexing="ij")
    return np.broadcast_to(np.stack([down, across]).astype(float), (rows, 2, *sides))


def test_crops_begin_anywhere_equally_often() -> None:
    found = Changed("crop", ramps(4000, (12, 10)), sides=(8, 6))
    for channel, last in enumerate((4, 4)):
        counts = np.bincount(found.x[:, channel, 0, 0].astype(int), minlength=last + 1)
        assert len(counts) == last + 1
        assert np.sum((counts - 800) ** 2 / 800) < 23.5  # chi-squared with 4 degrees of freedom: 1 in 10,000
    np.testing.assert_array_equal(found.x[:, 0, -1, 0] - found.x[:, 0, 0, 0], 7)
    np.testing.assert_array_equal(found.x[:, 1, 0, -1] - found.x[:, 1, 0, 0], 5)


def test_padded_crops_have_zeros_around_the_picture() -> None:
    x = pictures(50, 1, (4, 5)) + 1
    y = Changed("crop: {padding: 2}", x).x
    framed = np.pad(x, ((0, 0), (0, 0), (2, 2), (2, 2)))
    first = np.floor(drawn("crop", 50, 2) * 5).astype(int)
    for n, (row, column) in enumerate(first):
        np.testing.assert_array_equal(y[n], framed[n, :, row : row + 4, column : column + 5])
    assert {tuple(place) for place in first} > {(0, 0), (4, 4)}


def test_random_resized_crops_have_the_areas_and_aspects_that_are_asked_for() -> None:
    y = Changed("random_resized_crop: {area: [0.1, 0.5], aspect: [0.8, 1.25]}", ramps(3000, (40, 40)), sides=(10, 10)).x
    extents = [(y[:, axis].max((1, 2)) - y[:, axis].min((1, 2))) * 10 / 9 for axis in (0, 1)]
    area, aspect = extents[0] * extents[1] / 1600, np.log(extents[1] / extents[0])
    assert (area.min(), area.max()) == (pytest.approx(0.1, abs=2e-3), pytest.approx(0.5, abs=2e-3))
    assert area.mean() == pytest.approx(0.3, abs=0.01)
    assert area.var() == pytest.approx(0.16 / 12, rel=0.1)
    assert (aspect.min(), aspect.max()) == (pytest.approx(math.log(0.8), abs=2e-3), pytest.approx(math.log(1.25), abs=2e-3))
    assert aspect.mean() == pytest.approx(0, abs=0.01)
    assert y.min() >= 0
    assert y.max() <= 39
    assert np.corrcoef(y[:, 0].mean((1, 2)), y[:, 1].mean((1, 2)))[0, 1] == pytest.approx(0, abs=0.08)


def test_a_window_is_no_larger_than_the_picture() -> None:
    y = Changed("random_resized_crop: {area: [1, 1], aspect: [4, 4]}", ramps(5, (8, 8)), sides=(8, 8)).x
    np.testing.assert_allclose(y[:, 1], ramps(5, (8, 8))[:, 1], atol=1e-12)  # all columns
    assert np.ptp(y[:, 0], axis=(1, 2)) == pytest.approx([3.5] * 5)  # half of the rows


@pytest.mark.parametrize(
    ("augment", "samplings"),
    [
        ("crop: {padding: 1}, flip", 1),
        ("flip, crop: {padding: 1}", 1),
        ("random_resized_crop, flip", 1),
        ("flip: {direction: vertical}, random_resized_crop", 1),
        ("affine: {rotate: 30}, crop: {padding: 1}", 2),
        ("crop: {padding: 1}, color_jitter: {brightness: 0.1}, flip", 2),
    ],
)
def test_a_mirror_is_part_of_the_sampling_beside_it(augment: str, samplings: int) -> None:
    """And the result is as one after the other."""
    x = pictures(6)
    whole = Changed(augment, x)
    assert sum(instruction.op == "resample" for instruction in whole.instructions) == samplings
    for each in whole.pictures.recipe.augment:
        x = Changed(f"{each.kind}: {each.model_dump_json(exclude_unset=True)}", x).x
    np.testing.assert_allclose(whole.x, x, atol=1e-12)


# colours


@pytest.mark.parametrize(
    ("option", "enhance", "column"),
    [("brightness", ImageEnhance.Brightness, 0), ("contrast", ImageEnhance.Contrast, 1), ("saturation", ImageEnhance.Color, 2)],
)
def test_colours_as_in_pillow(option: str, enhance: Any, column: int) -> None:
    x = np.random.default_rng(0).integers(0, 256, (20, 3, 6, 6), np.uint8)
    found = Changed(f"color_jitter: {{{option}: 0.7}}", x).x
    for picture, y, u in zip(x, found, drawn("color_jitter", 20, 4), strict=True):
        other = enhance(Image.fromarray(np.moveaxis(picture, 0, -1))).enhance(between(u[column], 0.3, 1.7))
        np.testing.assert_allclose(y * 255, np.moveaxis(np.asarray(other), -1, 0), atol=2)  # Pillow rounds greys and results


def test_hue_as_in_the_standard_library() -> None:
    x = pictures(10)
    x[0] = 0.3  # grey has no hue
    found = Changed("color_jitter: {hue: 0.5}", x).x
    for picture, y, u in zip(x, found, drawn("color_jitter", 10, 4), strict=True):
        for cell in np.ndindex(8, 6):
            h, s, v = colorsys.rgb_to_hsv(*picture[:, *cell])
            np.testing.assert_allclose(y[:, *cell], colorsys.hsv_to_rgb((h + u[3] - 0.5) % 1, s, v), atol=1e-9)


def test_colours_change_one_after_the_other() -> None:
    x = pictures(4)
    u = drawn("color_jitter", 4, 4)[:, :, None, None, None]
    grey = np.array([0.299, 0.587, 0.114]).reshape(3, 1, 1)
    y = np.clip(x * between(u[:, 0], 0.6, 1.4), 0, 1)
    mean = (y * grey).sum(1, keepdims=True).mean((2, 3), keepdims=True)
    y = np.clip(mean + between(u[:, 1], 0.8, 1.2) * (y - mean), 0, 1)
    own = (y * grey).sum(1, keepdims=True)
    y = np.clip(own + between(u[:, 2], 0, 2.5) * (y - own), 0, 1)
    np.testing.assert_allclose(Changed("color_jitter: {brightness: 0.4, contrast: 0.2, saturation: 1.5}", x).x, y, atol=1e-12)


# what covers and mixes


def test_erased_rectangles() -> None:
    y = Changed("erasing: {probability: 0.3, area: [0.1, 0.4], aspect: [0.5, 2], value: -7}", pictures(2000, 1, (20, 20)) + 1).x[:, 0]
    found = [np.argwhere(picture == -7) for picture in y]
    erased = [cells for cells in found if len(cells)]
    assert len(erased) == pytest.approx(600, abs=80)
    extents = np.array([cells.max(0) - cells.min(0) + 1 for cells in erased])
    assert [len(cells) for cells in erased] == extents.prod(1).tolist()  # rectangles, all of them
    assert extents.prod(1).mean() / 400 == pytest.approx(0.25, abs=0.02)
    assert np.log(extents[:, 1] / extents[:, 0]).mean() == pytest.approx(0, abs=0.05)
    assert np.abs(np.log(extents[:, 1] / extents[:, 0])).max() < math.log(2) + 0.2
    spare = 20 - extents
    first = np.array([cells.min(0) for cells in erased])
    assert (first / np.maximum(spare, 1)).mean(0) == pytest.approx([0.5, 0.5], abs=0.05)


def test_the_erased_value_is_one_after_normalization() -> None:
    y = Changed("erasing: {probability: 1, value: 3}", pictures(4), more=", normalize: auto").x
    assert all(np.isclose(picture, 3).any() for picture in y)
    zero = Changed("erasing: {probability: 1}", pictures(4), more=", normalize: auto").x
    assert all((picture == 0).any() for picture in zero)


@pytest.mark.parametrize("alpha", [0.1, 0.2, 0.5, 1.0, 4.0])
def test_beta_numbers(alpha: float) -> None:
    """The distribution function at ten places, by the sum over a fine grid; and no number is ever lost."""
    rng = np.random.default_rng(0)
    u, v = rng.integers(0, 2**24, (2, 100_000)) / 2**24
    u[:2], v[:2] = (0, 1 - 2**-24), 0.25
    for dtype in ("f32", "f64"):
        y = np.empty(u.shape, "f4" if dtype == "f32" else "f8")
        expr = beta(alpha, scalar.operand(0), scalar.operand(1))
        KERNELS["map"](y, u.astype(y.dtype), v.astype(y.dtype), exprs=(expr,), shape=y.shape, dtype=dtype)
        assert y.min() >= 0
        assert y.max() <= 1
        for place in np.linspace(0.05, 0.5, 10):
            assert np.mean(y < place) == pytest.approx(below(place, alpha), abs=0.006)
            assert np.mean(y > 1 - place) == pytest.approx(below(place, alpha), abs=0.006)


def below(place: float, alpha: float) -> float:
    """The share of Beta(alpha, alpha) below a place up to 1/2: sums of t^(alpha-1) (1-t)^(alpha-1) in even steps of t^alpha."""
    steps = (np.arange(20_000) + 0.5) / 20_000
    part, half = (end**alpha * np.mean((1 - end * steps ** (1 / alpha)) ** (alpha - 1)) for end in (place, 0.5))
    return float(0.5 * part / half)


@pytest.mark.parametrize("rows", [1, 2, 5, 8])
@pytest.mark.parametrize("augment", ["mixup: 0.5", "cutmix: 1", "mixup: 1, cutmix: 1"])
def test_targets_are_mixed_as_pictures_are(augment: str, rows: int) -> None:
    """The pictures of a batch are 1 in a channel of their own: what is left of each shows in the mixture."""
    x = np.broadcast_to(np.eye(rows)[:, :, None, None], (rows, rows, 12, 10))
    seen = set()
    for tick in range(30):
        found = Changed(augment, x, tick=tick)
        np.testing.assert_allclose(found.x.mean((2, 3)), found.shares, atol=1e-12)
        np.testing.assert_allclose(found.shares.sum(1), 1, atol=1e-12)
        own = np.diagonal(found.shares)
        assert np.ptp(own) < 1e-12
        seen.add(round(float(own[0]), 9))
        partners = [min(n ^ 1, rows - 1) if n ^ 1 < rows else max(n - 1, 0) for n in range(rows)]
        assert found.shares[range(rows), partners] == pytest.approx([1 if n == p else 1 - own[0] for n, p in enumerate(partners)])
    assert len(seen) == 1 if rows == 1 else len(seen) > 10


@pytest.mark.parametrize("shape", [(5,), (2, 9), (2, 3, 4, 5)])
def test_mixup_takes_inputs_of_any_rank(shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).normal(size=(6, *shape))
    found = Changed("mixup: 2", x)
    np.testing.assert_allclose(found.x, np.tensordot(found.shares, x, 1), atol=1e-12)


def test_of_several_mixtures_each_batch_draws_one() -> None:
    x = np.broadcast_to(np.eye(2)[:, :, None, None], (2, 2, 12, 10))
    kinds = [len(np.unique(Changed("mixup: 4, cutmix: 4", x, tick=tick).x[0, 0].round(9))) for tick in range(60)]
    assert set(kinds) == {1, 2}  # one value all over, or a rectangle
    assert kinds.count(1) == pytest.approx(30, abs=14)


# what does not matter

ALL = f"""affine: {{{WHOLE_TABLE}}}, crop: {{padding: 1}}, random_resized_crop, flip, flip: {{direction: vertical}},
  color_jitter: {{brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.1}}, erasing: {{probability: 0.5}}"""


def test_pictures_do_not_depend_on_their_batch_but_on_place_and_epoch() -> None:
    x = pictures(9)
    whole = Changed(ALL, x, epoch=4).x
    order = np.random.default_rng(0).permutation(9)
    parts = [Changed(ALL, x[places], places=places, epoch=4).x for places in (order[:2], order[2:])]
    np.testing.assert_array_equal(np.concatenate(parts), whole[order])
    assert all((a != b).any() for a, b in zip(whole, Changed(ALL, x, epoch=5).x, strict=True))
    again = Changed(ALL, x, places=np.arange(9) + 1000, epoch=4).x
    assert all((a != b).any() for a, b in zip(whole, again, strict=True))


def test_equal_augmentations_in_one_list_draw_apart() -> None:
    x = ramps(200, (5, 5))
    assert len(np.unique(Changed("crop: {padding: 2}, crop: {padding: 2}", x + 10).x[:, :, 2, 2], axis=0)) > 25


SPEC = small.text(
    small.NORMED, train=f"optimizer: {{sgd: {{rate: 0.1, momentum: 0.9}}}}, augment: [{ALL}, mixup: 0.5, cutmix: 1]", shape="[3, 6, 6]"
)
X, Y = np.random.default_rng(0).uniform(size=(8, 3, 6, 6)), small.labels(8)


@pytest.mark.parametrize("dtype", ["f32", "f64"])
def test_a_run_goes_on_bit_for_bit(dtype: str) -> None:
    """From a copy of its state, in another session."""
    plan = small.planned(SPEC, 8, dtype)
    whole, first, second = Session(plan), Session(plan), Session(plan)
    steps = [(np.arange(8) + 8 * step, step // 2) for step in range(4)]
    wanted = [whole.step(X, Y, *step) for step in steps]
    found = [first.step(X, Y, *step) for step in steps[:2]]
    for name, memory in first.binding.memory.items():
        second.binding.memory[name][...] = memory
    assert found + [second.step(X, Y, *step) for step in steps[2:]] == wanted
    assert len({figures["loss"] for figures in wanted}) == 4


def test_parts_of_a_batch_are_augmented_as_the_whole() -> None:
    """Without a norm, which knows its part alone; a pair that is mixed is never in two parts."""
    layers = "\n  - {name: conv, conv: {filters: 4, kernel: 3}}\n  - relu\n  - flatten\n  - {name: fc, linear: 5}\n"
    specs = [SPEC.replace(small.NORMED, layers), SPEC.replace(small.NORMED, layers).replace("optimizer", "accumulate: 4, optimizer")]
    whole, parts = Session(small.planned(specs[0], 8)), Session(small.planned(specs[1], 2))
    for epoch in range(3):
        places = np.random.default_rng(epoch).permutation(1000)[:8]
        small.same(parts.step(X, Y, places, epoch), whole.step(X, Y, places, epoch), 1e-10)
        small.same(parts.parameters(), whole.parameters(), 1e-10)


def test_a_session_that_is_told_nothing_draws_anew_in_each_step() -> None:
    session = Session(small.planned(SPEC.replace("rate: 0.1", "rate: 1e-30"), 8))
    assert len({session.step(X, Y)["loss"] for _ in range(3)}) == 3
    assert session.gradients(X, Y)[0] == session.gradients(X, Y)[0]


@pytest.mark.parametrize("mode", ["train", "infer"])
def test_only_training_augments(mode: str) -> None:
    plain = SPEC.replace(f"[{ALL}, mixup: 0.5, cutmix: 1]", "[]")
    one, other = (Session(small.planned(spec, 8, mode=mode)) for spec in (SPEC, plain))
    np.testing.assert_array_equal(one.run(X), other.run(X))
    if mode == "train":
        assert one.evaluate(X, Y) == other.evaluate(X, Y)
        assert one.gradients(X, Y)[0] != other.gradients(X, Y)[0]


# slots


def test_windows_are_cut_out_of_larger_pictures() -> None:
    """Training takes them anywhere, all else in the middle; where the recipe cuts nothing, pictures have the net's size."""
    train = "augment: [crop, flip], data: {cifar10: {resize: 12}}, optimizer: {sgd: 1e-30}"
    spec = small.text("\n  - conv: {filters: 2, kernel: 3}\n  - flatten\n  - linear: 10\n", train=train, shape="[3, 9, 8]")
    session = Session(small.planned(spec, 4))
    x, y = pictures(4, 3, (12, 12)), small.labels(4, 10)
    plain = Session(small.planned(spec.replace("[crop, flip]", "[]"), 4))
    assert session.evaluate(x, y) == plain.evaluate(x[:, :, 1:10, 2:10], y)
    windows = [
        plain.evaluate(turned[None, :, a : a + 9, b : b + 8], y[:1])["loss"]
        for turned in (x[0], x[0, ..., ::-1])
        for a in range(4)
        for b in range(5)
    ]
    found = {session.step(x[:1], y[:1], [place], 0)["loss"] for place in range(40)}
    assert len(found) > 15
    assert all(min(abs(loss - window) for window in windows) < 1e-9 for loss in found)
    assert Session(small.planned(spec, 4, mode="infer")).run(x[:, :, :9, :8]).shape == (4, 10)


@pytest.mark.parametrize("augment", ["[]", f"[{ALL}, mixup: 0.5]", "[crop: {padding: 1}, flip]"])
def test_bytes_are_taken_as_they_are(augment: str) -> None:
    """The same numbers as from a slot of floats, which divides by 255 before."""
    spec = small.text(small.NORMED, train=f"optimizer: {{sgd: 0.1}}, normalize: auto, augment: {augment}", shape="[3, 6, 6]")
    graph, recipe = small.read(spec)
    *_, (_, plan) = stages(Job(graph, recipe, "train", 8, "numpy", "f32", bytes=True), checked=True)
    x = np.random.default_rng(0).integers(0, 256, X.shape, np.uint8)
    one, other = Session(plan), Session(small.planned(spec, 8, "f32"))
    assert plan.states["in.input"].value.dtype == "u8"
    for session in (one, other):
        session.normalize({"in.input": Scale((0.3, 0.4, 0.5), (0.2, 0.3, 0.4))})
    for turn in range(2):
        assert one.step(x, Y, epoch=turn) == pytest.approx(other.step(x, Y, epoch=turn), rel=1e-6)
    assert one.evaluate(x, Y) == pytest.approx(other.evaluate(x, Y), rel=1e-6)
    with pytest.raises(InputError, match="input takes uint8, and float64 is given"):
        one.step(X, Y)


def test_between_bytes_lie_numbers() -> None:
    x, affine = Value("x", "u8", (2, 6, 6, 3)), Value("a", "f32", (2, 2, 3))
    how = {"size": (6, 6), "border": "zero"}
    assert Builder("f32").emit("resample", x, affine, filter="nearest", **how).dtype == "u8"
    assert Builder("f32").emit("resample", x, affine, filter="bilinear", **how).dtype == "f32"


@pytest.mark.parametrize("shape", [(3, 6, 6), (108,)])
def test_a_session_normalizes_as_it_is_told(shape: tuple[int, ...]) -> None:
    """Each channel; a vector has those of the picture that it was."""
    layers = "\n  - flatten\n  - linear: 5\n"
    plain, normal = (
        Session(small.planned(small.text(layers, train=train, shape=str(list(shape))))) for train in ("batch: 4", "normalize: auto")
    )
    x = X[:4].reshape(4, *shape)
    np.testing.assert_array_equal(normal.run(x), plain.run(x))
    normal.normalize({"in.input": Scale((0.3, 0.4, 0.5), (0.2, 0.3, 0.4))})
    by_hand = (X[:4] - np.reshape([0.3, 0.4, 0.5], (3, 1, 1))) / np.reshape([0.2, 0.3, 0.4], (3, 1, 1))
    np.testing.assert_allclose(normal.run(x), plain.run(by_hand.reshape(4, *shape)), rtol=1e-12)
    with pytest.raises(InputError, match="the recipe does not normalize input"):
        plain.normalize({"in.input": Scale((0.3,), (0.2,))})


def test_given_means_need_no_telling() -> None:
    train = "normalize: {channels: {mean: [0.3, 0.4, 0.5], std: [0.2, 0.3, 0.4]}}"
    given, told = (Session(small.planned(small.text(small.NORMED, train=text, shape="[3, 6, 6]"))) for text in (train, "normalize: auto"))
    told.normalize({"in.input": Scale((0.3, 0.4, 0.5), (0.2, 0.3, 0.4))})
    np.testing.assert_array_equal(given.run(X[:4]), told.run(X[:4]))


@pytest.mark.parametrize("places", [[0.5], [-1], [[0]], [0, 1]])
def test_places_are_numbers_of_rows(places: Any) -> None:
    with pytest.raises(InputError, match=r"places are whole numbers|rows differ"):
        Session(small.planned(SPEC, 8)).step(X[:1], Y[:1], places)
