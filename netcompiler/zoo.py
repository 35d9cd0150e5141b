"""The nets that come with netc: specs/ of a checkout, or the same files inside the installed package."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from netcompiler.diagnostics import did_you_mean
from netcompiler.source import Mapping, Source, parse

HERE = Path(__file__).resolve().parent
FOLDERS = (HERE / "specs", HERE.parent / "specs")


@cache
def folder() -> Path | None:
    return next((folder for folder in FOLDERS if folder.is_dir()), None)


def names() -> list[str]:
    """The names that `netc check NAME` knows, in alphabetical order."""
    home = folder()
    return sorted(path.stem for path in home.glob("*.yaml")) if home else []


def read(name: str) -> tuple[str, str]:
    """The text of a net, and the path that messages show; raises LookupError for a name that is not there."""
    home = folder()
    path = home / f"{name}.yaml" if home else None
    if path is None or name not in names():
        hint = _with_variant(name) or did_you_mean(name, names())
        raise LookupError(f"there is no net called `{name}` in the zoo" + (f": {hint}" if hint else "; `netc zoo` lists them"))
    return path.read_text(encoding="utf-8"), shown(path)


def _with_variant(written: str) -> str:
    """Help for `resnet50` and `vgg-D`."""
    for name in names():
        rest = written.lower().removeprefix(name).lstrip("-_: ")
        variant = next((variant for variant in variants(name) if variant.lower() == rest), None) if rest != written.lower() else None
        if variant:
            return f"did you mean `{name}:{variant}`?"
    return ""


def variants(name: str) -> list[str]:
    """The variants of a net, in the order of its file."""
    text, path = read(name)
    root = parse(Source(path, text))
    listed = root.entries.get("variants") if isinstance(root, Mapping) else None
    return list(listed.entries) if isinstance(listed, Mapping) else []


def shown(path: Path) -> str:
    """Relative to the working folder where the path lies in it, so that an editor can follow it; else the bare file name."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else path.name
