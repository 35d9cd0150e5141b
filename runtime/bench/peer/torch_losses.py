"""The losses of netc in PyTorch: scores (n, c, sides) and a target -> the mean over the pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch.nn.functional as F  # noqa: N812
from torch import Tensor

Options = Mapping[str, Any]


def cross_entropy(o: Options, y: Tensor, target: Tensor) -> Tensor:
    """With class weights PyTorch's own mean divides by their sum; ours by the number of pictures."""
    if not o["class_weights"]:
        return F.cross_entropy(y, target, label_smoothing=o["smoothing"])
    return F.cross_entropy(y, target, y.new_tensor(o["class_weights"]), reduction="none", label_smoothing=o["smoothing"]).mean()


def binary_cross_entropy(o: Options, y: Tensor, d: Tensor) -> Tensor:
    positive = None if o["positive_weight"] is None else y.new_tensor(o["positive_weight"])
    each = F.binary_cross_entropy_with_logits(y, d, reduction="none", pos_weight=positive)
    return each.sum(1).mean()


def hinge(o: Options, y: Tensor, target: Tensor) -> Tensor:
    """What the right class itself gives is the margin."""
    own = y.gather(1, target[:, None])
    return (F.relu(o["margin"] - own + y).sum(1) - o["margin"]).mean()


def huber(o: Options, y: Tensor, d: Tensor) -> Tensor:
    return F.huber_loss(y, d, reduction="sum", delta=o["delta"]) / len(y)


LOSSES: dict[str, Callable[[Options, Tensor, Tensor], Tensor]] = {
    **{f.__name__: f for f in (cross_entropy, binary_cross_entropy, hinge, huber)},
    "l1": lambda o, y, d: F.l1_loss(y, d, reduction="sum") / len(y),
    "l2": lambda o, y, d: F.mse_loss(y, d, reduction="sum") / (2 * len(y)),
}
