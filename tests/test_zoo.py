"""The zoo against the figures of the papers and of torchvision's table, to the unit: one row for each figure."""

from __future__ import annotations

from functools import cache

import pytest

from netcompiler import load, zoo
from netcompiler.graph import Graph, Node
from netcompiler.loading import Loaded
from netcompiler.totals import totals


@cache
def net(spec: str) -> Graph:
    return graph_of(load(spec))


def graph_of(loaded: Loaded) -> Graph:
    if loaded.errors or not loaded.graph:
        raise AssertionError("; ".join(f"{d.place}: {d.message}" for d in loaded.errors))
    return loaded.graph


def node(spec: str, name: str) -> Node:
    """The node of that name, else what the scope of that name yields: its last node."""
    inside = [node for node in net(spec) if f"{node.name}.".startswith(f"{name}.")]
    if not inside:
        raise AssertionError(f"{spec} has no {name}")
    return inside[-1]


def params(spec: str, scope: str) -> int:
    return sum(node.params for node in net(spec) if f"{node.name}.".startswith(f"{scope}."))


FIGURES = [  # net, params, MACs
    ("lenet", 61_706, 416_520),
    ("lenet:caffe", 431_080, 2_293_000),
    ("alexnet", 60_965_224, 724_406_816),
    ("alexnet:2012", 60_965_224, 724_406_816),
    ("alexnet:ungrouped", 62_378_344, 1_135_256_096),
    ("alexnet:2014", 61_100_840, 714_188_480),
    ("zfnet", 62_357_608, 1_168_032_896),
    ("zfnet:wide", 107_627_624, 2_476_704_896),
    ("vgg:A", 132_863_336, 7_609_090_048),
    ("vgg:A-LRN", 132_863_336, 7_609_090_048),
    ("vgg:B", 133_047_848, 11_308_466_176),
    ("vgg:C", 133_638_952, 11_770_888_192),
    ("vgg:D", 138_357_544, 15_470_264_320),
    ("vgg:E", 143_667_240, 19_632_062_464),
    ("vgg:A-bn", 132_868_840, 7_609_090_048),
    ("vgg:B-bn", 133_053_736, 11_308_466_176),
    ("vgg:D-bn", 138_365_992, 15_470_264_320),
    ("vgg:E-bn", 143_678_248, 19_632_062_464),
    ("googlenet", 6_998_552, 1_582_671_872),
    ("googlenet:aux", 13_378_280, 1_582_671_872),
    ("resnet:18", 11_689_512, 1_814_073_344),
    ("resnet:34", 21_797_672, 3_663_761_408),
    ("resnet:50", 25_557_032, 4_089_184_256),
    ("resnet:101", 44_549_160, 7_801_405_440),
    ("resnet:152", 60_192_808, 11_513_626_624),
    ("resnet:50-v1", 25_557_032, 3_857_973_248),
    ("resnet:101-v1", 44_549_160, 7_570_194_432),
    ("resnet:152-v1", 60_192_808, 11_282_415_616),
    ("densenet:121", 7_978_856, 2_834_161_664),
    ("densenet:161", 28_681_000, 7_727_907_072),
    ("densenet:169", 14_149_480, 3_359_843_328),
    ("densenet:201", 20_013_928, 4_291_365_888),
    ("mobilenet:1.0", 4_231_976, 568_740_352),
    ("mobilenet:.75", 2_585_560, 325_400_448),
    ("mobilenet:.5", 1_331_592, 149_497_088),
    ("mobilenet:.25", 470_072, 41_030_272),
    ("resnet-cifar:20", 269_722, 40_551_040),
    ("resnet-cifar:32", 464_154, 68_862_592),
    ("resnet-cifar:44", 658_586, 97_174_144),
    ("resnet-cifar:56", 853_018, 125_485_696),
    ("resnet-cifar:110", 1_727_962, 252_887_680),
    ("fully-convolutional:block", 61_706, 416_520),
    ("logistic", 28 * 28 * 10 + 10, 28 * 28 * 10),
    ("tdnn", 8 * (16 * 3 + 1) + 3 * (8 * 5 + 1), 8 * 16 * 3 * 13 + 3 * 8 * 5 * 9),
    ("filter-bank", 6 * 14 * 14 * 10 + 10, 6 * 9 * 28 * 28 + 6 * 14 * 14 * 10),
    ("locally-connected:full", 16_000_000_000, 16_000_000_000),
    ("locally-connected:local", 40_000_000, 40_000_000),
    ("locally-connected:shared", 10 * (100 * 1 + 1), 40_000_000),
    ("segmenter", 31_030_658, 150_428_424_448),
]


@pytest.mark.parametrize(("spec", "count", "macs"), FIGURES, ids=[spec for spec, *_ in FIGURES])
def test_params_and_macs(spec: str, count: int, macs: int) -> None:
    assert (totals(net(spec)).params, totals(net(spec)).macs) == (count, macs)


LENET_1998 = [("C1", 156), ("S2", 12), ("C3", 1_516), ("S4", 32), ("C5", 48_120), ("F6", 10_164), ("output", 0)]


@pytest.mark.parametrize(("scope", "count"), LENET_1998)
def test_lenet_1998_layers(scope: str, count: int) -> None:
    assert params("lenet:1998", scope) == count


def test_lenet_1998_sums() -> None:
    sums = totals(net("lenet:1998"))
    assert (sums.params, sums.connections) == (60_000, 340_908)


INCEPTION = [
    ("3a", 163_696),
    ("3b", 388_736),
    ("4a", 376_176),
    ("4b", 449_160),
    ("4c", 510_104),
    ("4d", 605_376),
    ("4e", 868_352),
    ("5a", 1_043_456),
    ("5b", 1_444_080),
]


@pytest.mark.parametrize(("module", "count"), INCEPTION)
def test_googlenet_modules(module: str, count: int) -> None:
    assert params("googlenet", f"inception{module}") == count


SHAPES = [
    ("lenet", {"0": (6, 28, 28), "2": (6, 14, 14), "3": (16, 10, 10), "5": (16, 5, 5), "6": (400,), "7": (120,), "9": (84,), "11": (10,)}),
    (
        "alexnet",
        {
            "conv1": (96, 55, 55),
            "pool1": (96, 27, 27),
            "conv2": (256, 27, 27),
            "pool2": (256, 13, 13),
            "conv3": (384, 13, 13),
            "conv4": (384, 13, 13),
            "conv5": (256, 13, 13),
            "pool5": (256, 6, 6),
            "fc6": (4096,),
            "fc7": (4096,),
            "fc8": (1000,),
        },
    ),
    (
        "zfnet",
        {
            "conv1": (96, 110, 110),
            "pool1": (96, 55, 55),
            "conv2": (256, 26, 26),
            "pool2": (256, 13, 13),
            "conv3": (384, 13, 13),
            "conv4": (384, 13, 13),
            "conv5": (256, 13, 13),
            "pool5": (256, 6, 6),
        },
    ),
    (
        "vgg",
        {
            "features.4": (64, 112, 112),
            "features.9": (128, 56, 56),
            "features.16": (256, 28, 28),
            "features.23": (512, 14, 14),
            "features.30": (512, 7, 7),
        },
    ),
    (
        "googlenet",
        {
            "conv1": (64, 112, 112),
            "1": (64, 56, 56),
            "conv3": (192, 56, 56),
            "6": (192, 28, 28),
            "inception3a": (256, 28, 28),
            "inception3b": (480, 28, 28),
            "9": (480, 14, 14),
            "inception4a": (512, 14, 14),
            "inception4b": (512, 14, 14),
            "inception4c": (512, 14, 14),
            "inception4d": (528, 14, 14),
            "inception4e": (832, 14, 14),
            "15": (832, 7, 7),
            "inception5a": (832, 7, 7),
            "inception5b": (1024, 7, 7),
        },
    ),
    (
        "resnet:50",
        {
            "conv1": (64, 112, 112),
            "3": (64, 56, 56),
            "layer1": (256, 56, 56),
            "layer2": (512, 28, 28),
            "layer3": (1024, 14, 14),
            "layer4": (2048, 7, 7),
        },
    ),
    (
        "densenet:121",
        {
            "features.conv0": (64, 112, 112),
            "features.pool0": (64, 56, 56),
            "features.denseblock1": (256, 56, 56),
            "features.transition1": (128, 28, 28),
            "features.denseblock2": (512, 28, 28),
            "features.transition2": (256, 14, 14),
            "features.denseblock3": (1024, 14, 14),
            "features.transition3": (512, 7, 7),
            "features.denseblock4": (1024, 7, 7),
        },
    ),
    ("neocognitron", {"S1": (24, 16, 16), "2": (24, 10, 10), "S2": (24, 8, 8), "C2": (24, 6, 6), "S3": (24, 2, 2), "C3": (24, 1, 1)}),
    ("tdnn", {"hidden1": (8, 13), "hidden2": (3, 9), "3": (3,)}),
    ("all-convolutional", {"3": (96, 16, 16), "7": (192, 8, 8), "9": (192, 6, 6), "11": (10, 6, 6)}),
    ("fully-convolutional", {"10": (10, 3, 2)}),
    ("encoder-decoder", {"encoder": (128, 4, 4), "decoder": (1, 32, 32)}),
    ("encoder-decoder:nearest", {"encoder": (128, 4, 4), "decoder": (1, 32, 32)}),
    ("detector", {"class": (20,), "box": (8,)}),
    ("pose", {"conv1": (96, 55, 55), "conv2": (256, 27, 27), "conv5": (256, 13, 13), "coordinates": (28,)}),
    ("segmenter", {"bottom": (1024, 28, 28), "score": (2, 388, 388)}),
    ("segmenter:same", {"bottom": (1024, 32, 32), "score": (2, 512, 512)}),
]
SHAPE_ROWS = [(spec, name, shape) for spec, shapes in SHAPES for name, shape in shapes.items()]


@pytest.mark.parametrize(("spec", "name", "shape"), SHAPE_ROWS, ids=[f"{spec}-{name}" for spec, name, _ in SHAPE_ROWS])
def test_shapes(spec: str, name: str, shape: tuple[int, ...]) -> None:
    assert node(spec, name).shape == shape


FIELDS = [  # net, node, size, step
    ("alexnet", "conv5", 163, 16),
    ("alexnet", "pool5", 195, 32),
    ("vgg:A", "features", 150, 32),
    ("vgg:B", "features", 156, 32),
    ("vgg:D", "features", 212, 32),
    ("vgg:E", "features", 268, 32),
    ("googlenet", "inception5b", 715, 32),
    ("resnet:18", "layer4", 435, 32),
    ("resnet:34", "layer4", 899, 32),
    ("resnet:50", "layer4", 427, 32),
    ("resnet:101", "layer4", 971, 32),
    ("resnet:152", "layer4", 1451, 32),
    ("resnet:50-v1", "layer4", 483, 32),
    ("resnet:101-v1", "layer4", 1027, 32),
    ("resnet:152-v1", "layer4", 1507, 32),
    ("mobilenet", "blocks", 315, 32),
    ("fully-convolutional", "10", 32, 4),
]


@pytest.mark.parametrize(("spec", "name", "size", "step"), FIELDS, ids=[f"{spec}-{name}" for spec, name, *_ in FIELDS])
def test_receptive_fields(spec: str, name: str, size: int, step: int) -> None:
    reach = net(spec).fields[node(spec, name)]
    assert reach is not None
    assert (reach.extent, reach.step) == ((size, size), (step, step))


DEPTHS = [
    ("lenet", 5),
    ("alexnet", 8),
    ("zfnet", 8),
    ("vgg:A", 11),
    ("vgg:B", 13),
    ("vgg:C", 16),
    ("vgg:D", 16),
    ("vgg:E", 19),
    ("googlenet", 22),
    *((f"resnet:{depth}", depth) for depth in (18, 34, 50, 101, 152)),
    *((f"densenet:{depth}", depth) for depth in (121, 161, 169, 201)),
    *((f"resnet-cifar:{depth}", depth) for depth in (20, 32, 44, 56, 110)),
    *((f"residual-mlp:{depth}", depth) for depth in (100, 200, 1000)),
    ("logistic", 1),
]


@pytest.mark.parametrize(("spec", "depth"), DEPTHS)
def test_depth(spec: str, depth: int) -> None:
    assert totals(net(spec)).depth == depth


def test_alexnet_neurons() -> None:
    assert totals(net("alexnet")).neurons == 659_272


@pytest.mark.parametrize("spec", ["locally-connected:full", "locally-connected:local", "locally-connected:shared"])
def test_locally_connected_neurons(spec: str) -> None:
    assert totals(net(spec)).neurons == 400_000


NEIGHBOURS = [  # the lectures' "allowable edges": five cells, three neighbours
    ("{linear: {units: 5, bias: false}}", 5 * 5),
    ("{local: {filters: 1, kernel: 3, padding: same, bias: false}}", 3 * 5 - 2),
    ("{conv: {filters: 1, kernel: 3, padding: same, bias: false}}", 3),
]


@pytest.mark.parametrize(("layer", "count"), NEIGHBOURS)
def test_five_cells(layer: str, count: int) -> None:
    shape = "[5]" if "linear" in layer else "[1, 5]"
    text = f"{{netc: 1, name: five, input: {shape}, layers: [{layer}]}}"
    assert totals(graph_of(load("-", stdin_text=text))).params == count


def weights(spec: str) -> dict[str, tuple[int, ...]]:
    return {f"{node.name}.{parameter.name}": parameter.shape for node in net(spec) for parameter in node.parameters}


def batch_norm(name: str, channels: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.{part}": (channels,) for part in ("weight", "bias", "running_mean", "running_var")}


def torchvision_alexnet() -> dict[str, tuple[int, ...]]:
    """The one-tower net's state, as torchvision names it."""
    convolutions = {0: (64, 3, 11), 3: (192, 64, 5), 6: (384, 192, 3), 8: (256, 384, 3), 10: (256, 256, 3)}
    linears = {1: (4096, 9216), 4: (4096, 4096), 6: (1000, 4096)}
    shapes: dict[str, tuple[int, ...]] = {}
    for at, (filters, maps, side) in convolutions.items():
        shapes |= {f"features.{at}.weight": (filters, maps, side, side), f"features.{at}.bias": (filters,)}
    for at, (units, inputs) in linears.items():
        shapes |= {f"classifier.{at}.weight": (units, inputs), f"classifier.{at}.bias": (units,)}
    return shapes


def torchvision_resnet50() -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {"conv1.weight": (64, 3, 7, 7), **batch_norm("bn1", 64)}
    maps = 64
    for stage, (filters, depth) in enumerate(zip((64, 128, 256, 512), (3, 4, 6, 3), strict=True), start=1):
        for turn in range(depth):
            scope = f"layer{stage}.{turn}"
            shapes |= {f"{scope}.conv1.weight": (filters, maps, 1, 1), **batch_norm(f"{scope}.bn1", filters)}
            shapes |= {f"{scope}.conv2.weight": (filters, filters, 3, 3), **batch_norm(f"{scope}.bn2", filters)}
            shapes |= {f"{scope}.conv3.weight": (4 * filters, filters, 1, 1), **batch_norm(f"{scope}.bn3", 4 * filters)}
            if turn == 0:
                shapes |= {f"{scope}.downsample.0.weight": (4 * filters, maps, 1, 1), **batch_norm(f"{scope}.downsample.1", 4 * filters)}
            maps = 4 * filters
    return shapes | {"fc.weight": (1000, 2048), "fc.bias": (1000,)}


def torchvision_densenet121() -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {"features.conv0.weight": (64, 3, 7, 7), **batch_norm("features.norm0", 64)}
    maps = 64
    for stage, depth in enumerate((6, 12, 24, 16), start=1):
        for turn in range(1, depth + 1):
            scope = f"features.denseblock{stage}.denselayer{turn}"
            shapes |= {**batch_norm(f"{scope}.norm1", maps), f"{scope}.conv1.weight": (128, maps, 1, 1)}
            shapes |= {**batch_norm(f"{scope}.norm2", 128), f"{scope}.conv2.weight": (32, 128, 3, 3)}
            maps += 32
        if stage < 4:
            scope = f"features.transition{stage}"
            shapes |= {**batch_norm(f"{scope}.norm", maps), f"{scope}.conv.weight": (maps // 2, maps, 1, 1)}
            maps //= 2
    return {**shapes, **batch_norm("features.norm5", maps), "classifier.weight": (1000, maps), "classifier.bias": (1000,)}


TORCHVISION = [
    ("alexnet:2014", torchvision_alexnet()),
    ("resnet:50", torchvision_resnet50()),
    ("densenet:121", torchvision_densenet121()),
]


@pytest.mark.parametrize(("spec", "expected"), TORCHVISION, ids=[spec for spec, _ in TORCHVISION])
def test_names_and_shapes_are_torchvisions(spec: str, expected: dict[str, tuple[int, ...]]) -> None:
    assert weights(spec) == expected


NAMES = [
    ("vgg:D", ("features.0.weight", "features.28.bias", "classifier.0.weight", "classifier.6.bias")),
    ("vgg:D-bn", ("features.0.weight", "features.1.running_var", "features.40.weight", "classifier.6.bias")),
    ("resnet:18", ("layer1.0.conv1.weight", "layer2.0.downsample.0.weight", "layer4.1.bn2.running_mean", "fc.bias")),
    ("googlenet:aux", ("conv1.conv.weight", "inception3a.branch1.conv.weight", "inception4a.branch2.1.conv.weight")),
    ("googlenet:aux", ("inception5b.branch4.1.conv.weight", "aux1.conv.conv.weight", "aux2.fc2.bias", "fc.weight")),
]


@pytest.mark.parametrize(("spec", "names"), NAMES)
def test_torchvision_has_these_names(spec: str, names: tuple[str, ...]) -> None:
    assert set(names) <= set(weights(spec))


EVERY = [f"{name}:{variant}" if variant else name for name in zoo.names() for variant in (None, *zoo.variants(name))]


@pytest.mark.parametrize("spec", EVERY)
def test_every_variant_loads(spec: str) -> None:
    assert not net(spec).broken


@pytest.mark.parametrize("name", zoo.names())
def test_every_file_names_its_source(name: str) -> None:
    assert net(name).doc


def test_fixed_filters_are_frozen() -> None:
    bank = node("filter-bank", "bank.filters")
    assert (bank.params, bank.buffers) == (0, 6 * 9)


def test_googlenet_heads_are_for_training_only() -> None:
    plain, heads = totals(net("googlenet")), totals(net("googlenet:aux"))
    assert heads.params - plain.params == 3_188_840 + 3_190_888
    assert (heads.macs, heads.flops) == (plain.macs, plain.flops)


def test_detector_adds_its_losses() -> None:
    outputs = {output.name: (type(output.loss).__name__, output.weight) for output in net("detector").outputs}
    assert outputs == {"class": ("CrossEntropy", 1), "box": ("L2", 1)}
