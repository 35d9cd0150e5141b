"""What other frameworks and papers call the things of the language, so that their users are told its word and not a similar one."""

from __future__ import annotations

import re
from collections.abc import Container

WORDS = {
    "linear": "fc fullyconnected innerproduct gemm",
    "conv": "convolution depthwiseconv separableconv",
    "conv_transpose": "deconv deconvolution upconv transposedconv",
    "mean_pool": "avgpool averagepool avgpooling averagepooling meanpooling",
    "max_pool": "maxpooling",
    "global_mean_pool": "globalavgpool globalaveragepool globalavgpooling globalaveragepooling adaptiveavgpool adaptiveaveragepool gap",
    "global_max_pool": "globalmaxpooling adaptivemaxpool gmp",
    "silu": "swish",
    "leaky_relu": "lrelu",
    "lrn": "localresponsenorm localresponsenormalization",
    "reshape": "view unflatten",
    "concat": "cat concatenate merge",
    "add": "sum plus eltwise",
    "multiply": "mul times product",
    "drop_path": "stochasticdepth",
    "filters": "outchannels numfilters numoutput channels features",
    "units": "outfeatures numunits",
    "stride": "step subsample",
    "slope": "negativeslope",
    "rate": "lr learningrate baselr p prob probability",
    "epsilon": "eps",
    "beta1": "betas",
    "cross_entropy": "ce nll softmaxcrossentropy categoricalcrossentropy sparsecategoricalcrossentropy",
    "binary_cross_entropy": "bce bcewithlogits",
    "l2": "mse meansquarederror squarederror euclidean",
    "l1": "mae meanabsoluteerror absoluteerror",
    "huber": "smoothl1",
    "he": "kaiming msra",
    "xavier": "glorot",
    "affine": "rotate rotation translate translation scale zoom shear stretch",
    "flip": "horizontalflip randomhorizontalflip mirror",
    "crop": "randomcrop",
    "erasing": "randomerasing cutout",
    "color_jitter": "brightness contrast saturation hue",
    "vars": "variables params parameters constants defines",
    "outputs": "heads",
    "train": "training trainer recipe",
    "augment": "augmentation augmentations transforms",
    "top1": "accuracy acc",
    "fp32": "float32 float single",
    "fp16": "float16 half",
    "bf16": "bfloat16",
}
MEANT = {foreign: word for word, foreigners in WORDS.items() for foreign in foreigners.split()}

ELSEWHERE = {
    "activation": "an activation is an item of its own, after this one",
    "inchannels": "the channels that come in are known: leave it out",
    "infeatures": "the inputs are known: leave it out",
    "inputshape": "the shape that comes in is known: leave it out",
    **dict.fromkeys(
        ("lr", "learningrate", "momentum", "weightdecay"), "it is an option of the optimizer: {sgd: {rate: 0.1, momentum: 0.9}}"
    ),
}
"""What is no option of the language, or stands in another place, and what to do instead."""


def meant(word: str, known: Container[str]) -> str | None:
    """The known word for a foreign one."""
    own = MEANT.get(_bare(word), "")
    return own if own in known else None


def elsewhere(option: str) -> str:
    return ELSEWHERE.get(_bare(option), "")


def _bare(word: str) -> str:
    """`AvgPool2d` and `avg_pool` alike."""
    return re.sub(r"[_-]|[123]d$", "", word.lower())
