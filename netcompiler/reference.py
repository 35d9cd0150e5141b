"""The second half of specs/README.md, made from the classes: every kind and key of the language with its options.

`python -m netcompiler.reference` writes it anew between its two marks; a test compares.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from netcompiler import zoo
from netcompiler.layers import KINDS
from netcompiler.losses import LOSSES
from netcompiler.optimisers import OPTIMIZERS
from netcompiler.options import Expect, Kind, Options, Registry
from netcompiler.reader import fields_of, mark_of
from netcompiler.recipe import (
    AUGMENTATIONS,
    DATA,
    INITIALISERS,
    NORMALIZATIONS,
    SCHEDULES,
    VIEWS,
    EarlyStop,
    LayerSettings,
    Recipe,
    WarmUp,
)
from netcompiler.recipe.recipe import Validation
from netcompiler.report.description import value_text
from netcompiler.report.vocabulary import doc
from netcompiler.schema import COMPOSITIONS, ITEM_KEYS, Block, Document, OutputOptions

BEGIN = "<!-- What follows is made by `python -m netcompiler.reference`: change the classes, not this text. -->"
END = "<!-- End of what is made. -->"

LETTERS = """\
In formulas `a` is the input and `w` a weight; `m` and `n` number input and output maps, `x` and `y` rows and columns, `i` and `j`
taps. `N` is a side of the input, `M` of the output, `K` the kernel, `S` the stride, `P` the padding."""

REGISTRIES = (
    ("Compositions", COMPOSITIONS, "Items that hold items. `x` is what they receive."),
    ("Losses", LOSSES, "For one picture; training makes the mean over all pictures small. All of them take scores `x` or values `y`."),
    ("Optimizers", OPTIMIZERS, "`g` is the gradient, the mean over the pictures of a step; `w` the weight; `t` counts steps from 1."),
    ("Schedules", SCHEDULES, "The formula is the factor of the optimizer's rate. `e` is the time in epochs, `E` all epochs."),
    ("Data", DATA, ""),
    ("Augmentations", AUGMENTATIONS, "Drawn anew for each picture and epoch, in the order of the list."),
    ("Normalizations", NORMALIZATIONS, ""),
    ("Test-time views", VIEWS, ""),
    ("Initialisers", INITIALISERS, "`fan_in` = inputs * taps, `fan_out` = outputs * taps."),
)
MODELS: tuple[tuple[str, type[Options]], ...] = (
    ("The file", Document),
    ("A block", Block),
    ("An output, beside its item", OutputOptions),
    ("train", Recipe),
    ("train.layers, for each name", LayerSettings),
    ("train.warmup", WarmUp),
    ("train.validation", Validation),
    ("train.early_stop", EarlyStop),
)


def markdown() -> str:
    return "\n".join([*_layers(), *_registries(), *_keys()]).rstrip() + "\n"


def replaced(page: str) -> str:
    """A page with the part between its marks made anew."""
    above, _, rest = page.partition(BEGIN)
    _, _, below = rest.partition(END)
    return f"{above}{BEGIN}\n\n{markdown()}\n{END}{below}"


def _layers() -> Iterator[str]:
    """The layers, family by family."""
    families = list(dict.fromkeys(layer.family for layer in KINDS.values()))
    ordered = sorted(KINDS.values(), key=lambda layer: families.index(layer.family))
    yield from ("# All layers", "", "`netc layers NAME` prints any of them.", "", LETTERS, "")
    for family, layers in groupby(ordered, lambda layer: str(layer.family)):
        yield from (f"## {family.capitalize()}", "")
        for layer in layers:
            yield from _kind(layer, f"- {layer.example}")


def _registries() -> Iterator[str]:
    for title, registry, words in REGISTRIES:
        yield from (f"# {title}", "", *([words, ""] if words else []))
        yield from _kinds(registry)


def _kinds(registry: Registry) -> Iterator[str]:
    item = registry is COMPOSITIONS
    for kind in registry.values():
        yield from _kind(kind, f"- {kind.example}" if item else kind.example)


def _kind(kind: type[Kind], example: str) -> Iterator[str]:
    yield from (f"### {kind.kind}", "", doc(kind), "")
    if kind.formula:
        yield from ("```", *kind.formula.split(";  "), "```", "")
    yield from ("```yaml", example, "```", "")
    yield from _options(kind)


def _keys() -> Iterator[str]:
    yield from ("# All keys", "")
    for title, model in MODELS:
        yield from (f"### {title}", "")
        yield from _options(model)
    yield from ("### An item, beside its kind", "", *_table(("key", "meaning"), ITEM_KEYS.items()), "")


def _options(model: type[Options]) -> Iterator[str]:
    rows = []
    for key, field in fields_of(model).items():
        expect = mark_of(field, Expect)
        default = "must be given" if field.is_required() else "" if field.default is None else f"`{value_text(field.default)}`"
        rows.append((f"`{key}`", default, expect.words if expect else "", field.description or ""))
    if rows:
        yield from (*_table(("option", "default", "takes", "meaning"), rows), "")


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    for row in (heads, ("---",) * len(heads), *rows):
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"


def main() -> None:
    folder = zoo.folder()
    assert folder
    page = folder / "README.md"
    page.write_text(replaced(page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
