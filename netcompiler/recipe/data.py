"""Where the pictures come from, and the fields that each source yields: named sets, files, made-up data."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from netcompiler.diagnostics import Mistake
from netcompiler.options import Count, Expect, MaybeCount, MaybeText, Names, Text
from netcompiler.recipe.families import Column, Data

MaybeNames = Annotated[list[Text] | None, Field(min_length=1), Expect("a list of names")]


class _Pictures(Data):
    """Data that may hold pictures of any size."""

    side: ClassVar[int | None] = None
    """Of pictures that are all squares of one size."""

    resize: Annotated[
        Count | Annotated[list[Count], Field(min_length=2, max_length=2)] | None,
        Expect("a whole number, 1 or more, or a list of two, [rows, columns]"),
    ] = Field(
        None,
        description="scale the shorter side of a picture to this, or both sides to [rows, columns], before anything else; "
        "what then is larger than the net's input is cut to its centre, what is smaller gets zeros around it",
    )

    def sides(self) -> tuple[int, ...] | None:
        if isinstance(self.resize, list):
            return tuple(self.resize)
        side = self.resize or self.side
        return (side, side) if side else None

    def picture(self, channels: int, side: int | None) -> Column:
        """An image field: a square of a known side, or of sides that differ."""
        if isinstance(self.resize, list):
            return Column((channels, *self.resize))
        side = self.resize if self.resize and side else side
        return Column((channels, side, side))


class _Named(_Pictures):
    """A published set, with its own split into pictures for training and for testing."""

    channels: ClassVar[int]
    classes: ClassVar[int]
    pictures: ClassVar[int]
    """To train on."""
    in_bytes = True

    path: MaybeText = Field(None, description="the folder that holds it; without it netc's own data folder")

    def yields(self) -> dict[str, Column]:
        return {"image": self.picture(self.channels, self.side), "label": Column((), self.classes, target=True)}


class Digits(_Named):
    """Handwritten digits of 8x8, 1,797 of them (UCI, Alpaydin & Kaynak 1998)."""

    example = "data: digits"
    channels, side, classes = 1, 8, 10
    pictures = 1_498


class FashionMini(_Named):
    """A small part of Fashion-MNIST."""

    example = "data: fashion_mini"
    channels, side, classes = 1, 28, 10
    pictures = 5_000


class MNIST(_Named):
    """Handwritten digits of 28x28: 60,000 for training, 10,000 for testing (LeCun, Cortes & Burges)."""

    example = "data: mnist"
    channels, side, classes = 1, 28, 10
    pictures = 60_000


class FashionMNIST(_Named):
    """Clothes of 28x28, in 10 classes: 60,000 for training, 10,000 for testing (Xiao, Rasul & Vollgraf 2017)."""

    kind = "fashion_mnist"
    example = "data: {fashion_mnist: {path: fashion}}"
    channels, side, classes = 1, 28, 10
    pictures = 60_000


class CIFAR10(_Named):
    """Colour pictures of 32x32, in 10 classes: 50,000 for training, 10,000 for testing (Krizhevsky 2009)."""

    example = "data: cifar10"
    channels, side, classes = 3, 32, 10
    pictures = 50_000


class CIFAR100(_Named):
    """Colour pictures of 32x32, in 100 classes: 50,000 for training, 10,000 for testing (Krizhevsky 2009)."""

    example = "data: cifar100"
    channels, side, classes = 3, 32, 100
    pictures = 50_000


class ImageNet(_Named):
    """Photographs of any size, in 1,000 classes: 1,281,167 for training, 50,000 for validation (ILSVRC 2012)."""

    kind = "imagenet"
    example = "data: {imagenet: {path: /data/imagenet, resize: 256}}"
    channels, side, classes = 3, None, 1000
    pictures = 1_281_167


class Folder(_Pictures):
    """A folder with a folder of pictures for each class; the classes are numbered in the order of their names."""

    example = "data: {folder: {path: flowers, resize: 256}}"
    in_bytes = True

    path: Text = Field(description="the folder, or one that holds such folders called train and val")
    test: MaybeText = Field(None, description="a folder of the same form, for validation")
    channels: Annotated[Literal[1, 3], Expect("1 or 3")] = Field(3, description="1 reads pictures in grey, 3 in colour")

    def yields(self) -> dict[str, Column]:
        return {"image": self.picture(self.channels, None), "label": Column((), target=True)}


class Signals(Data):
    """A folder with a folder of sounds (WAV) or arrays (.npy, channels first) for each class, numbered in the order of their names.

    What is longer than the net's input is cut to its middle, what is shorter gets zeros around it, up to a factor of 2."""

    example = "data: {signals: {path: speech, test: speech-test}}"

    path: Text = Field(description="the folder, or one that holds such folders called train and val")
    test: MaybeText = Field(None, description="a folder of the same form, for validation")
    channels: Count = Field(1, description="channels of a sound")
    rate: MaybeCount = Field(None, description="samples a second; a sound with another rate is bad data. Without it any")

    def yields(self) -> dict[str, Column]:
        return {"signal": Column(None), "label": Column((), target=True)}


class IDX(_Pictures):
    """Arrays in IDX files, the format of MNIST, packed or not."""

    example = "data: {idx: {images: train-images-idx3-ubyte, labels: train-labels-idx1-ubyte}}"

    images: Text = Field(description="the file of pictures")
    labels: Text = Field(description="the file of class numbers")
    test_images: MaybeText = Field(None, description="pictures for validation")
    test_labels: MaybeText = Field(None, description="their class numbers")

    @model_validator(mode="after")
    def _test_is_whole(self) -> IDX:
        if (self.test_images is None) != (self.test_labels is None):
            given, other = ("test_labels", "test_images") if self.test_images is None else ("test_images", "test_labels")
            raise Mistake("data", f"{given} is given without {other}", "give both, or leave both out", option=given)
        return self

    def yields(self) -> dict[str, Column]:
        return {"image": Column(None), "label": Column((), target=True)}


class _Table(_Pictures):
    """A file of records with named fields."""

    path: Text = Field(description="the file")
    test: MaybeText = Field(None, description="a file of the same form, for validation")
    inputs: MaybeNames = Field(["image"], description="the fields that go into the net")
    targets: Names = Field(["label"], description="the fields to compare with")

    def yields(self) -> dict[str, Column]:
        return {name: Column(None) for name in self.inputs or ["x"]} | {name: Column(None, target=True) for name in self.targets}


class NPZ(_Table):
    """Arrays in a NumPy .npz file, or .npy files in a folder, one row for each picture; pictures are channels first, uint8 or from 0 to 1.
    What is not packed stays on the disk, and rows are read when they are wanted."""

    example = "data: {npz: digits.npz}"

    path: Text = Field(description="the file or folder, or several files with {first..last} in the name")
    test: MaybeText = Field(None, description="the same for validation")

    inputs: MaybeNames = Field(["x"], description="the arrays that go into the net")
    targets: Names = Field(["y"], description="the arrays to compare with")


class CSV(_Table):
    """A table with a line of names on top. A cell is a number, several with blanks between, a class, or the file of a picture, a
    sound or an array, relative to the table."""

    example = "data: {csv: {path: digits.csv, targets: [digit]}}"

    inputs: MaybeNames = Field(
        None, description="the columns that go into the net; without it all other columns are one field `x`, in their order"
    )
    delimiter: Annotated[str, Field(min_length=1, max_length=1), Expect("one character")] = Field(
        ",", description="what stands between cells"
    )


class JSONL(_Table):
    """A JSON object on each line. A field is a number, a list of them, a class, or the file of a picture, a sound or an
    array, relative to this file. Boxes and joints are lists of numbers, and taken as they are: let them be shares of the sides."""

    example = "data: {jsonl: {path: faces.jsonl, targets: [class, corners]}}"


class Shards(_Table):
    """Tar files in WebDataset's form: files of one name are one record, and their endings its fields."""

    example = 'data: {shards: {path: "train-{000..146}.tar", test: val.tar, resize: 256}}'

    path: Text = Field(description="the tar file, or several of them with {first..last} in the name")
    inputs: MaybeNames = Field(["jpg"], description="the endings of what goes into the net")
    targets: Names = Field(["cls"], description="the endings of what to compare with")
    count: MaybeCount = Field(None, description="records in all files; without it they are counted at first use")


class Synthetic(Data):
    """Made-up pictures of the net's input shape, normal noise, with random targets: for timing and trying out."""

    example = "data: {synthetic: {count: 4096}}"

    count: Count = Field(1024, description="pictures in an epoch")
    classes: MaybeCount = Field(None, description="class numbers are below this; without it as many as the output has")

    def yields(self) -> dict[str, Column]:
        return {"image": Column(None), "label": Column(None, self.classes, target=True)}
