"""What is counted of predictions: of classes who is taken for whom, ranks and calibration; of numbers how far they are off.

A prediction is an array of (n, channels, sides): probabilities, or numbers. Read next: panel.py.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from runtime.arrays import Array

BINS = 10
TINY = 1e-12
"""The least probability that a logarithm is taken of."""
CHOICE, EACH, NUMBERS = "softmax", "sigmoid", ""
"""What an output's scores are: they choose one class, say yes or no each, or are the answer themselves."""


def prediction(scores: Array, kind: str) -> Array:
    """Scores as probabilities, where they are about classes."""
    x: Array = np.asarray(scores, np.float64)
    if kind == CHOICE:
        x = np.exp(x - x.max(axis=1, keepdims=True))
        x /= x.sum(axis=1, keepdims=True)
    return 1 / (1 + np.exp(-x)) if kind == EACH else x


class Tally(Protocol):
    def add(self, predictions: Array, targets: Array) -> None: ...

    def figures(self) -> dict[str, float]: ...

    def details(self) -> dict[str, Any]: ...


def tally(kind: str, classes: int) -> Tally:
    return Choices(classes) if kind == CHOICE else Differences(kind == EACH)


class Choices:
    """Of an output that chooses one of the classes, for the whole picture or for each of its positions."""

    def __init__(self, classes: int) -> None:
        self.confusion = np.zeros((classes, classes), np.int64)
        self.bins = np.zeros((3, BINS))
        """Pictures by their largest probability; the sum of those; how many of the pictures are right."""
        self.surprise, self.among_5, self.places = 0.0, 0, 1

    def add(self, predictions: Array, targets: Array) -> None:
        self.places = max(1, targets[0].size)
        shares, labels = np.moveaxis(predictions, 1, -1).reshape(-1, len(self.confusion)), targets.reshape(-1)
        called, own = shares.argmax(axis=1), shares[np.arange(len(labels)), labels]
        np.add.at(self.confusion, (labels, called), 1)
        above = (shares > own[:, None]) | ((shares == own[:, None]) & (np.arange(shares.shape[1]) < labels[:, None]))
        self.among_5 += int((above.sum(axis=1) < 5).sum())
        self.surprise -= float(np.log(np.maximum(own, TINY)).sum())
        sure = shares.max(axis=1)
        level = np.minimum((sure * BINS).astype(int), BINS - 1)
        for row, values in enumerate((np.ones(len(sure)), sure, called == labels)):
            self.bins[row] += np.bincount(level, values, BINS)

    @property
    def count(self) -> int:
        return int(self.confusion.sum())

    def figures(self) -> dict[str, float]:
        """`mean_iou`, over positions: pictures that are and are called a class, over those that are or are called it."""
        right = np.diag(self.confusion)
        found = {"log_loss": self.surprise / self.count, "top1": float(right.sum() / self.count)}
        if len(right) > 5:
            found["top5"] = self.among_5 / self.count
        if self.places > 1:
            union = self.confusion.sum(axis=0) + self.confusion.sum(axis=1) - right
            found["mean_iou"] = float((right[union > 0] / union[union > 0]).mean())
        return found

    def details(self) -> dict[str, Any]:
        is_, called, right = self.confusion.sum(axis=1), self.confusion.sum(axis=0), np.diag(self.confusion)
        rows = zip(is_.tolist(), called.tolist(), right.tolist(), strict=True)
        classes = [{"count": n, "recall": r / n if n else None, "precision": r / c if c else None} for n, c, r in rows]
        of = "positions" if self.places > 1 else "pictures"
        return {"of": of, "classes": classes, "confusion": self.confusion.tolist(), "calibration": self.calibration()}

    def calibration(self) -> dict[str, Any]:
        """error = sum over bins of count / all * |share that is right - mean of the largest probabilities|"""
        bins = [
            {"from": at / BINS, "to": (at + 1) / BINS, "count": int(n), "sure": float(sure / n), "right": float(right / n)}
            for at, (n, sure, right) in enumerate(self.bins.T)
            if n
        ]
        return {"error": float(np.abs(self.bins[2] - self.bins[1]).sum() / self.count), "bins": bins}


class Differences:
    """Of numbers, or of probabilities that are compared with numbers, each by itself."""

    def __init__(self, probable: bool) -> None:
        self.probable = probable
        self.count, self.off, self.squares, self.right = 0, 0.0, 0.0, 0

    def add(self, predictions: Array, targets: Array) -> None:
        targets = targets / (255 if targets.dtype == np.uint8 else 1)
        difference = targets - predictions
        self.count += difference.size
        self.off += float(np.abs(difference).sum())
        self.squares += float((difference**2).sum())
        self.right += int(((predictions > 0.5) == (targets > 0.5)).sum())

    def figures(self) -> dict[str, float]:
        """`right`: how many of the answers yes and no are."""
        found = {"mae": self.off / self.count, "rmse": (self.squares / self.count) ** 0.5}
        return {**found, "right": self.right / self.count} if self.probable else found

    def details(self) -> dict[str, Any]:
        return {}
