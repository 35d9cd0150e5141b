"""The `train` section: what each option takes and refuses, what losses fit, what schedules give, what is imported when."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable

import pytest
from pydantic import BaseModel, ValidationError

from netcompiler.diagnostics import Mistake
from netcompiler.losses import LOSSES
from netcompiler.optimisers import OPTIMIZERS
from netcompiler.options import Expect, Options, Registry
from netcompiler.reader import Findings, fields_of, mark_of, read_choice, read_options, section_of
from netcompiler.recipe import (
    AUGMENTATIONS,
    DATA,
    INITIALISERS,
    NORMALIZATIONS,
    SCHEDULES,
    VIEWS,
    Column,
    EarlyStop,
    LayerSettings,
    Recipe,
    WarmUp,
)
from netcompiler.recipe.recipe import Validation
from netcompiler.source import Mapping, Source, parse

FAMILIES = {
    "losses": (LOSSES, "cross_entropy binary_cross_entropy hinge l2 l1 huber"),
    "optimizers": (OPTIMIZERS, "sgd adam adamw rmsprop adagrad"),
    "schedules": (SCHEDULES, "constant step multistep exponential polynomial cosine one_cycle plateau"),
    "data": (
        DATA,
        "digits fashion_mini mnist fashion_mnist cifar10 cifar100 imagenet folder idx npz csv jsonl shards signals synthetic",
    ),
    "augmentations": (AUGMENTATIONS, "affine crop random_resized_crop flip color_jitter erasing mixup cutmix"),
    "views": (VIEWS, "ten_crop flip"),
    "normalizations": (NORMALIZATIONS, "auto channels"),
    "initialisers": (INITIALISERS, "constant normal uniform xavier he orthogonal bilinear"),
}
KINDS = [pytest.param(registry, kind, id=kind) for registry, _ in FAMILIES.values() for kind in registry]


@pytest.mark.parametrize("family", FAMILIES)
def test_the_kinds_of_each_family(family: str) -> None:
    registry, kinds = FAMILIES[family]
    assert set(registry) == set(kinds.split())
    assert all(registry[kind].kind == kind for kind in registry)


def read(text: str) -> tuple[Mapping, Findings]:
    node = parse(Source("train.yaml", text))
    assert isinstance(node, Mapping)
    return node, Findings()


def recipe(text: str) -> tuple[Recipe | None, list[str]]:
    node, findings = read(text)
    built = read_options(Recipe, node, node.place, "train", findings)
    return built, [f"{d.place.line}:{d.place.column} {d.message}" for d in findings.list]


@pytest.mark.parametrize(("registry", "kind"), KINDS)
def test_every_example_can_be_read(registry: Registry, kind: str) -> None:
    """The example of a kind is legal, and its own; so are the defaults of what it leaves out."""
    model = registry[kind]
    if registry is LOSSES:
        node, findings = read(model.example)
        value = read_choice(LOSSES, node.entries["loss"], findings)
        assert findings.list == []
    else:
        built, mistakes = recipe(model.example)
        assert mistakes == []
        value = getattr(built, model.example.split(":")[0])
    [value] = [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, model)]
    assert model.model_validate(dict(value)) == value


MODELS = [pytest.param(registry[kind], id=kind) for registry, _ in FAMILIES.values() for kind in registry]
SECTIONS = [pytest.param(model, id=model.__name__) for model in (Recipe, LayerSettings, Validation, EarlyStop, WarmUp)]


@pytest.mark.parametrize("model", MODELS + SECTIONS)
def test_every_option_explains_itself(model: type[Options]) -> None:
    """A description for the reference, words for messages, and no name that pydantic uses itself."""
    assert model.__doc__
    for key, field in fields_of(model).items():
        assert field.description, key
        assert mark_of(field, Expect) or section_of(field), key
        assert not hasattr(BaseModel, key), key


GOOD = [
    (LOSSES["cross_entropy"], {"smoothing": 0.1, "class_weights": [1, 2, 0]}),
    (LOSSES["binary_cross_entropy"], {"positive_weight": 3}),
    (LOSSES["huber"], {"delta": 0.5}),
    (OPTIMIZERS["sgd"], {"rate": 1, "momentum": 0.9, "nesterov": True, "weight_decay": 0, "decay_norms_and_biases": True}),
    (OPTIMIZERS["adagrad"], {"rate": 0.1, "rate_decay": 1e-4, "initial": 0.1}),
    (SCHEDULES["step"], {"every": 2.5, "factor": 0.97}),
    (SCHEDULES["multistep"], {"at": [30, 60, 80.5]}),
    (SCHEDULES["plateau"], {"factor": 0.1, "patience": 3, "watch": "top1", "cooldown": 1, "lowest": 0.001}),
    (DATA["mnist"], {"path": "sets", "resize": 32}),
    (DATA["imagenet"], {"resize": [256, 256]}),
    (DATA["idx"], {"images": "a", "labels": "b", "test_images": "c", "test_labels": "d"}),
    (DATA["csv"], {"path": "a.csv", "targets": ["x", "y"], "delimiter": "\t"}),
    (AUGMENTATIONS["affine"], {"rotate": [0, 360], "translate": 10, "scale": 1.6, "flip": 0.5, "shear": 20, "stretch": 1.3}),
    (AUGMENTATIONS["affine"], {"scale": [0.5, 2], "rotate": [-5, -5], "border": "mirror"}),
    (AUGMENTATIONS["color_jitter"], {"hue": 0.5}),
    (INITIALISERS["uniform"], {"range": [-1, 2]}),
    (INITIALISERS["he"], {"mode": "fan_out", "distribution": "uniform", "gain": 1}),
    (NORMALIZATIONS["channels"], {"mean": [0.5], "std": [0.25]}),
    (WarmUp, {"steps": 500, "start": 0}),
    (WarmUp, {"epochs": 0.5}),
    (EarlyStop, {"patience": 1, "threshold": 0.01}),
    (Validation, {"share": 0.1, "every": 5}),
    (LayerSettings, {"rate": 0, "decay": 0, "freeze": True}),
    (Recipe, {}),
    (Recipe, {"batch": 256, "epochs": 74, "precision": "bf16", "memory": "1.5 GiB", "metrics": ["top1", "top5"], "clip": 1, "ema": 0.999}),
    (Recipe, {"weights": "lenet.safetensors", "fresh": ["fc", "layer4.1"], "accumulate": 4, "seed": 7, "steps": 1}),
]


@pytest.mark.parametrize(("model", "options"), GOOD)
def test_good_values(model: type[Options], options: dict[str, object]) -> None:
    built = model.model_validate(options)
    assert {key: getattr(built, key) for key in options} == options


BAD = [
    (LOSSES["cross_entropy"], "smoothing", 1),
    (LOSSES["cross_entropy"], "smoothing", "0.1"),
    (LOSSES["cross_entropy"], "class_weights", [1]),
    (LOSSES["cross_entropy"], "class_weights", [1, -1]),
    (LOSSES["binary_cross_entropy"], "positive_weight", 0),
    (LOSSES["huber"], "delta", 0),
    (LOSSES["hinge"], "margin", True),
    (OPTIMIZERS["sgd"], "rate", 0),
    (OPTIMIZERS["sgd"], "rate", float("inf")),
    (OPTIMIZERS["sgd"], "momentum", 1),
    (OPTIMIZERS["sgd"], "weight_decay", -1e-4),
    (OPTIMIZERS["sgd"], "nesterov", 1),
    (OPTIMIZERS["adam"], "beta2", 1.0),
    (OPTIMIZERS["adam"], "betas", [0.9, 0.999]),
    (OPTIMIZERS["rmsprop"], "epsilon", 0),
    (SCHEDULES["step"], "every", 0),
    (SCHEDULES["multistep"], "at", []),
    (SCHEDULES["multistep"], "at", [30, 30]),
    (SCHEDULES["multistep"], "at", 30),
    (SCHEDULES["plateau"], "patience", 0),
    (SCHEDULES["plateau"], "factor", 1),
    (SCHEDULES["plateau"], "watch", "accuracy"),
    (SCHEDULES["one_cycle"], "rise", 0),
    (SCHEDULES["constant"], "factor", 1),
    (DATA["mnist"], "path", 3),
    (DATA["mnist"], "resize", [32]),
    (DATA["mnist"], "resize", 0),
    (DATA["folder"], "channels", 2),
    (DATA["npz"], "inputs", []),
    (DATA["npz"], "targets", "y"),
    (DATA["csv"], "delimiter", ""),
    (DATA["synthetic"], "count", 0),
    (AUGMENTATIONS["affine"], "rotate", -5),
    (AUGMENTATIONS["affine"], "rotate", [5, -5]),
    (AUGMENTATIONS["affine"], "scale", 0.5),
    (AUGMENTATIONS["affine"], "scale", [0, 2]),
    (AUGMENTATIONS["affine"], "flip", True),
    (AUGMENTATIONS["affine"], "border", "wrap"),
    (AUGMENTATIONS["crop"], "padding", -1),
    (AUGMENTATIONS["random_resized_crop"], "area", [0.1, 1.1]),
    (AUGMENTATIONS["color_jitter"], "hue", 0.6),
    (AUGMENTATIONS["mixup"], "alpha", 0),
    (VIEWS["ten_crop"], "size", 224),
    (INITIALISERS["normal"], "std", 0),
    (INITIALISERS["he"], "mode", "fan_avg"),
    (INITIALISERS["uniform"], "range", [1, 0]),
    (NORMALIZATIONS["channels"], "std", [0]),
    (WarmUp, "start", 1.5),
    (Validation, "share", 1),
    (LayerSettings, "freeze", "yes"),
    (LayerSettings, "init", "he"),
    (Recipe, "batch", 0),
    (Recipe, "batch", 1.5),
    (Recipe, "epochs", "10"),
    (Recipe, "precision", "fp64"),
    (Recipe, "memory", "2"),
    (Recipe, "memory", "2 gb"),
    (Recipe, "memory", "-1GB"),
    (Recipe, "metrics", ["top3"]),
    (Recipe, "clip", 0),
    (Recipe, "ema", 1),
    (Recipe, "seed", -1),
    (Recipe, "optimizer", "sgd"),
    (Recipe, "augment", None),
    (Recipe, "learning_rate", 0.1),
]


@pytest.mark.parametrize(("model", "option", "value"), BAD)
def test_bad_values(model: type[Options], option: str, value: object) -> None:
    with pytest.raises(ValidationError) as caught:
        model.model_validate({option: value})
    assert option in {error["loc"][0] for error in caught.value.errors() if error["type"] != "missing"}


TOGETHER = [
    ("optimizer: {sgd: {rate: 1, nesterov: true}}", "1:38 nesterov without momentum changes nothing"),
    ("data: {idx: {images: a, labels: b, test_labels: c}}", "1:49 test_labels is given without test_images"),
    ("normalize: {channels: {mean: [0, 0], std: [1]}}", "1:43 mean has 2 entries, and std has 1"),
    ("augment: [affine]", "1:11 affine moves nothing: all of it is off"),
    ("augment: [affine: {border: edge}]", "1:11 affine moves nothing: all of it is off"),
    ("warmup: {start: 0.1}", "1:1 warmup has one length, in epochs or in steps"),
    ("warmup: {epochs: 1, steps: 5}", "1:1 warmup has one length, in epochs or in steps"),
    ("schedule: {multistep: [30, 10]}", "1:23 `at` of multistep must be a list of epochs, each above the one before, not [30, 10]"),
    ("augment: {flip: 0.5}", "1:10 augment is a list"),
    ("optimizer: sgd", "1:12 sgd needs `rate`"),
    ("memory: 2 gb", '1:9 `memory` of train must be a text such as "2GB" or "512MiB", not the text "2 gb"'),
]


@pytest.mark.parametrize(("text", "message"), TOGETHER)
def test_mistakes_have_their_place(text: str, message: str) -> None:
    built, mistakes = recipe(text)
    assert built is None
    assert mistakes == [message]


# loss, options, shape of the output, what is said
UNFIT = [
    ("cross_entropy", {}, (1,), "cross_entropy chooses among 2 or more classes, and the output has one score"),
    ("cross_entropy", {}, (1, 32, 32), "cross_entropy chooses among 2 or more classes, and the output has one map"),
    ("hinge", {}, (1,), "hinge chooses among 2 or more classes, and the output has one score"),
    ("cross_entropy", {"class_weights": [1, 2]}, (3,), "class_weights has 2 entries, and the output has 3 classes"),
]


@pytest.mark.parametrize(("kind", "options", "y", "message"), UNFIT)
def test_losses_that_do_not_fit(kind: str, options: dict[str, object], y: tuple[int, ...], message: str) -> None:
    with pytest.raises(Mistake) as caught:
        LOSSES[kind](**options).fits(y)
    assert (caught.value.code, caught.value.message) == ("loss-shape", message)
    assert caught.value.help


# loss, shape of the output, shape of the target
TARGETS = [
    ("cross_entropy", (10,), ()),
    ("cross_entropy", (2, 8, 9), (8, 9)),
    ("hinge", (2,), ()),
    ("binary_cross_entropy", (1,), (1,)),
    ("binary_cross_entropy", (1, 8, 8), (1, 8, 8)),
    ("l2", (8,), (8,)),
    ("l1", (3, 4, 4), (3, 4, 4)),
    ("huber", (1,), (1,)),
]


@pytest.mark.parametrize(("kind", "y", "target"), TARGETS)
def test_targets(kind: str, y: tuple[int, ...], target: tuple[int, ...]) -> None:
    loss = LOSSES[kind]()
    loss.fits(y)
    assert loss.target(y) == target


SLOTS = [
    ("sgd", {}, 0),
    ("sgd", {"momentum": 0.9}, 1),
    ("adam", {}, 2),
    ("adamw", {}, 2),
    ("adagrad", {}, 1),
    ("rmsprop", {}, 1),
    ("rmsprop", {"momentum": 0.9}, 2),
    ("rmsprop", {"centered": True}, 2),
    ("rmsprop", {"momentum": 0.9, "centered": True}, 3),
]


@pytest.mark.parametrize(("kind", "options", "slots"), SLOTS)
def test_optimizer_slots(kind: str, options: dict[str, object], slots: int) -> None:
    assert OPTIMIZERS[kind](rate=0.1, **options).slots == slots


def test_optimizers_have_pytorchs_defaults() -> None:
    defaults = {kind: OPTIMIZERS[kind](rate=1).model_dump(exclude={"rate", "decay_norms_and_biases"}) for kind in OPTIMIZERS}
    moments = {"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}
    assert defaults == {
        "sgd": {"momentum": 0, "nesterov": False, "weight_decay": 0},
        "adam": {**moments, "weight_decay": 0},
        "adamw": {**moments, "weight_decay": 0.01},
        "rmsprop": {"alpha": 0.99, "epsilon": 1e-8, "momentum": 0, "centered": False, "weight_decay": 0},
        "adagrad": {"rate_decay": 0, "initial": 0, "epsilon": 1e-10, "weight_decay": 0},
    }
    assert [kind for kind in OPTIMIZERS if OPTIMIZERS[kind].decoupled] == ["adamw"]


# schedule, options, epoch, all epochs, factor
FACTORS = [
    ("constant", {}, 50, 90, 1),
    ("step", {"every": 30}, 29.99, 90, 1),
    ("step", {"every": 30}, 60, 90, 0.01),
    ("multistep", {"at": [30, 60], "factor": 0.5}, 30, 90, 0.5),
    ("multistep", {"at": [30, 60], "factor": 0.5}, 89, 90, 0.25),
    ("exponential", {"factor": 0.9}, 2, 90, 0.81),
    ("polynomial", {}, 45, 90, 0.5),
    ("polynomial", {"power": 2, "end": 0.1}, 45, 90, 0.1 + 0.9 * 0.25),
    ("polynomial", {"power": 0.9}, 91, 90, 0),
    ("cosine", {}, 0, 90, 1),
    ("cosine", {}, 30, 90, 0.75),
    ("cosine", {"end": 0.2}, 90, 90, 0.2),
    ("one_cycle", {}, 0, 100, 0.04),
    ("one_cycle", {}, 15, 100, 0.52),
    ("one_cycle", {}, 30, 100, 1),
    ("one_cycle", {}, 100, 100, 4e-6),
]


@pytest.mark.parametrize(("kind", "options", "e", "epochs", "factor"), FACTORS)
def test_schedules(kind: str, options: dict[str, object], e: float, epochs: float, factor: float) -> None:
    assert SCHEDULES[kind](**options).scale(e, epochs) == pytest.approx(factor)


def _recursions() -> dict[str, tuple[dict[str, object], Callable[[float, int], float]]]:
    """The rate of an epoch from that of the epoch before, as PyTorch's schedulers step."""
    total = 12
    return {
        "step": ({"every": 5, "factor": 0.3}, lambda r, e: r * 0.3 if e % 5 == 0 else r),
        "multistep": ({"at": [3, 4, 9], "factor": 0.3}, lambda r, e: r * 0.3 if e in (3, 4, 9) else r),
        "exponential": ({"factor": 0.9}, lambda r, e: r * 0.9),
        "polynomial": ({"power": 2}, lambda r, e: r * ((1 - e / total) / (1 - (e - 1) / total)) ** 2),
        "cosine": (
            {"end": 0.1},
            lambda r, e: (1 + math.cos(math.pi * e / total)) / (1 + math.cos(math.pi * (e - 1) / total)) * (r - 0.1) + 0.1,
        ),
    }


@pytest.mark.parametrize("kind", _recursions())
def test_schedules_step_as_pytorch_s_do(kind: str) -> None:
    options, after = _recursions()[kind]
    schedule, rate = SCHEDULES[kind](**options), 1.0
    for epoch in range(1, 12):
        rate = after(rate, epoch)
        assert schedule.scale(epoch, 12) == pytest.approx(rate)


# options of plateau, history of the watched figure, how often the rate fell
HISTORIES = [
    ({"patience": 2}, [], 0),
    ({"patience": 2}, [3, 2, 1], 0),
    ({"patience": 2}, [3, 3], 0),
    ({"patience": 2}, [3, 3, 3], 1),
    ({"patience": 2}, [3, 3, 2, 2], 0),
    ({"patience": 2}, [3, 3, 3, 3, 3], 2),
    ({"patience": 2, "cooldown": 2}, [3, 3, 3, 3, 3], 1),
    ({"patience": 2, "cooldown": 2}, [3, 3, 3, 3, 3, 3, 3], 2),
    ({"patience": 2, "watch": "top1"}, [0.1, 0.2, 0.3], 0),
    ({"patience": 2, "watch": "top1"}, [0.3, 0.2, 0.1], 1),
    ({"patience": 1, "threshold": 0.5}, [3, 2.6, 2.4], 1),
    ({"patience": 1}, [math.nan, 2, math.nan], 2),
]


@pytest.mark.parametrize(("options", "history", "falls"), HISTORIES)
def test_plateau(options: dict[str, object], history: list[float], falls: int) -> None:
    assert SCHEDULES["plateau"](factor=0.1, **options).scale(9, 10, history) == pytest.approx(0.1**falls)


def test_plateau_stops_falling_and_early_stop_stops() -> None:
    assert SCHEDULES["plateau"](factor=0.1, patience=1, lowest=0.05).scale(9, 10, [1, 1, 1, 1]) == 0.05
    assert not EarlyStop(patience=2).stops([1, 1])
    assert EarlyStop(patience=2).stops([1, 1, 1])


def test_the_rate_of_a_step() -> None:
    """10 steps an epoch: warm-up is over after 2 epochs, and the schedule keeps its own time meanwhile."""
    whole = Recipe(
        optimizer=OPTIMIZERS["sgd"](rate=0.4), schedule=SCHEDULES["multistep"](at=[1, 3]), warmup=WarmUp(epochs=2, start=0.5), epochs=4
    )
    assert [whole.rate(step, 10) for step in (0, 5, 10, 20, 30)] == pytest.approx([0.2, 0.25, 0.03, 0.04, 0.004])
    short = Recipe(optimizer=OPTIMIZERS["adam"](rate=1), schedule=SCHEDULES["polynomial"](), epochs=100, steps=20)
    assert short.rate(5, 10) == pytest.approx(0.75)


MEMORY = [("2GB", 2 * 10**9), ("512MiB", 512 * 2**20), ("1.5 GiB", 3 * 2**29), ("0.3kB", 300)]


@pytest.mark.parametrize(("text", "size"), MEMORY)
def test_memory_in_bytes(text: str, size: int) -> None:
    assert Recipe(memory=text).budget == size


def test_the_longest_name_wins_option_by_option() -> None:
    built, mistakes = recipe("layers: {features: {rate: 0.1, freeze: true}, features.0: {rate: 10, init: he}, fc: {init: {constant: 0}}}")
    assert built is not None
    assert mistakes == []
    assert built.settings("features.0") == LayerSettings(rate=10, freeze=True, init=INITIALISERS["he"]())
    assert built.settings("features.01") == LayerSettings(rate=0.1, freeze=True)
    assert built.settings("fc2") == LayerSettings()


# data, options, its fields
COLUMNS = [
    ("digits", {}, {"image": Column((1, 8, 8)), "label": Column((), 10, True)}),
    ("mnist", {"resize": 32}, {"image": Column((1, 32, 32)), "label": Column((), 10, True)}),
    ("cifar100", {"resize": [40, 30]}, {"image": Column((3, 40, 30)), "label": Column((), 100, True)}),
    ("imagenet", {"resize": 256}, {"image": Column((3, None, None)), "label": Column((), 1000, True)}),
    ("folder", {"path": "x", "channels": 1}, {"image": Column((1, None, None)), "label": Column((), None, True)}),
    ("npz", {"path": "x", "targets": ["a", "b"]}, {"x": Column(None), "a": Column(None, None, True), "b": Column(None, None, True)}),
    ("csv", {"path": "x"}, {"x": Column(None), "label": Column(None, None, True)}),
    ("synthetic", {"classes": 5}, {"image": Column(None), "label": Column(None, 5, True)}),
]


@pytest.mark.parametrize(("kind", "options", "columns"), COLUMNS)
def test_the_fields_of_data(kind: str, options: dict[str, object], columns: dict[str, Column]) -> None:
    assert DATA[kind](**options).yields() == columns


@pytest.mark.parametrize("kind", DATA)
def test_all_data_has_inputs_and_targets(kind: str) -> None:
    paths = {key: "x" for key, field in fields_of(DATA[kind]).items() if field.is_required()}
    assert {column.target for column in DATA[kind](**paths).yields().values()} == {False, True}


# what has something against a shape: its family, kind, options, the shape
MISFITS = [
    (AUGMENTATIONS, "flip", {}, (16,), "augment-shape"),
    (AUGMENTATIONS, "cutmix", {"alpha": 1}, (1, 100), "augment-shape"),
    (AUGMENTATIONS, "color_jitter", {"hue": 0.1}, (1, 28, 28), "augment-shape"),
    (NORMALIZATIONS, "channels", {"mean": [0], "std": [1]}, (3, 32, 32), "normalize"),
    (INITIALISERS, "orthogonal", {}, (64,), "init-shape"),
    (INITIALISERS, "he", {}, (64,), "init-shape"),
    (INITIALISERS, "bilinear", {}, (64, 32), "init-shape"),
]
FITS = [
    (AUGMENTATIONS, "mixup", {"alpha": 1}, (16,)),
    (AUGMENTATIONS, "color_jitter", {"contrast": 0.1}, (1, 28, 28)),
    (AUGMENTATIONS, "affine", {"flip": 0.5}, (3, 32, 32)),
    (NORMALIZATIONS, "channels", {"mean": [0], "std": [1]}, (1, 32, 32)),
    (NORMALIZATIONS, "auto", {}, (1, 32, 32)),
    (INITIALISERS, "constant", {"value": 0}, (64,)),
    (INITIALISERS, "bilinear", {}, (64, 64, 4, 4)),
]


@pytest.mark.parametrize(("registry", "kind", "options", "shape", "code"), MISFITS)
def test_misfits(registry: Registry, kind: str, options: dict[str, object], shape: tuple[int, ...], code: str) -> None:
    with pytest.raises(Mistake) as caught:
        registry[kind](**options).fits(shape)
    assert caught.value.code == code


@pytest.mark.parametrize(("registry", "kind", "options", "shape"), FITS)
def test_fits(registry: Registry, kind: str, options: dict[str, object], shape: tuple[int, ...]) -> None:
    assert registry[kind](**options).fits(shape) is None


# initialiser, options, fan_in, fan_out, standard deviation
DEVIATIONS = [
    ("he", {}, 50, 8, 0.2),
    ("he", {"mode": "fan_out"}, 50, 8, 0.5),
    ("he", {"gain": 1}, 25, 1, 0.2),
    ("xavier", {}, 30, 20, 0.2),
    ("xavier", {"gain": 3}, 1, 1, 3),
]


@pytest.mark.parametrize(("kind", "options", "fan_in", "fan_out", "deviation"), DEVIATIONS)
def test_deviations(kind: str, options: dict[str, object], fan_in: int, fan_out: int, deviation: float) -> None:
    assert INITIALISERS[kind](**options).deviation(fan_in, fan_out) == pytest.approx(deviation)


IMPORT = """
import sys
from netcompiler.recipe import Recipe, SCHEDULES
late = [f"netcompiler.recipe.{name}" for name in ("schedule", "data", "motion", "colour", "mixing", "initialiser")]
assert not any(name in sys.modules for name in late), sorted(sys.modules)
assert not Recipe.__pydantic_complete__, "a validator was built"
assert "numpy" not in sys.modules
assert "cosine" in SCHEDULES and "netcompiler.recipe.schedule" in sys.modules
"""


def test_importing_the_recipe_builds_nothing() -> None:
    """Kinds are imported when one is looked up, validators are built when one is used."""
    done = subprocess.run([sys.executable, "-c", IMPORT], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
