"""A spec by name or path -> graph, recipe and diagnostics: finding, parsing, extending, overriding, reading, expanding."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from netcompiler import zoo
from netcompiler.diagnostics import Diagnostic, Mistake, SpecError, did_you_mean
from netcompiler.document import Net, Uses, first_character, read_document
from netcompiler.expand import expand
from netcompiler.flow import Around, Frame, Scope, Sight, Unknown
from netcompiler.graph import Graph
from netcompiler.overrides import extend, override, setting
from netcompiler.reader import Findings, read_options
from netcompiler.recipe import Recipe
from netcompiler.source import MAX_BYTES, Mapping, Node, Place, Scalar, Source, parse
from netcompiler.values import Misplaced, exact, substitute


class UnreadableSpec(Exception):
    """There is no text to read: a missing file, a folder, a name that the zoo lacks."""


@dataclass(frozen=True)
class Loaded:
    """What a spec came to. Without errors there is a graph; with some there may be a broken one."""

    graph: Graph | None
    recipe: Recipe | None
    diagnostics: list[Diagnostic]

    @property
    def errors(self) -> list[Diagnostic]:
        return [d for d in self.diagnostics if d.severity == "error"]


def load(spec: str, settings: Sequence[str] = (), stdin_text: str | None = None) -> Loaded:
    """Reads NAME[:VARIANT] of the zoo, a file[:VARIANT], or `-`; settings are `key=value` texts."""
    findings = Findings()
    graph, recipe = None, None
    try:
        loader = _Loader(findings, stdin_text)
        graph, recipe = loader.load(spec, settings)
    except SpecError as error:
        for diagnostic in error.diagnostics:
            findings.add(diagnostic)
    except Misplaced as found:
        findings.add(found.mistake.at(found.place))
    return Loaded(graph, recipe, _in_order(findings.list))


def _in_order(diagnostics: list[Diagnostic]) -> list[Diagnostic]:
    """By place in each file, files in the order in which they were met."""
    files = {d.place.source.name: index for index, d in reversed(list(enumerate(diagnostics)))}
    return sorted(diagnostics, key=lambda d: (files[d.place.source.name], d.place.line, d.place.column))


class _Loader:
    def __init__(self, findings: Findings, stdin_text: str | None) -> None:
        self.findings = findings
        self.stdin_text = stdin_text

    def load(self, spec: str, settings: Sequence[str]) -> tuple[Graph, Recipe | None]:
        name, variant = split_variant(spec)
        asked = Source("command line", spec)
        place = Place(asked, 1, len(name) + 2, 1, len(spec) + 1)
        source = self.find(name, Path.cwd())
        tree = self.extended(source, ())
        uses = Uses()
        self.check_as_written(tree, uses)
        tree = self.chosen(tree, variant, place)
        for text in settings:
            tree = override(tree, *setting(text))
        net = read_document(tree, self.findings, uses)
        self.unused(uses)
        graph = expand(net, source.name, variant, self.findings)
        return graph, self.recipe(net, graph)

    def find(self, name: str, beside: Path) -> Source:
        """The text of a spec: standard input, a file, or a net of the zoo."""
        if name == "-":
            return Source("<stdin>", self.stdin_text if self.stdin_text is not None else sys.stdin.read())
        if not is_path(name):
            try:
                text, shown = zoo.read(name)
            except LookupError as error:
                near = f"; a file is named by its path: ./{name}" if (beside / name).exists() else ""
                raise UnreadableSpec(f"{error.args[0]}{near}") from None
            return Source(shown, text)
        return read_file(beside / name, name)

    def extended(self, source: Source, chain: tuple[str, ...]) -> Mapping:
        """The tree of a file over the tree of the spec that it extends."""
        tree = parse(source)
        if not isinstance(tree, Mapping):
            raise Misplaced(
                Mistake(
                    "wrong-type",
                    "a spec is a mapping with the keys netc, name, input and layers",
                    "`netc new NAME` prints one to start from",
                ),
                first_character(tree.place),
            )
        extends = tree.entries.get("extends")
        if extends is None:
            if "patch" in tree.entries:
                raise Misplaced(
                    Mistake(
                        "patch", "`patch` changes the spec that `extends` names, and there is no `extends`", "change the layers themselves"
                    ),
                    tree.key("patch"),
                )
            return tree
        if not isinstance(extends, Scalar) or not isinstance(extends.value, str):
            raise Misplaced(Mistake("wrong-type", "`extends` is the name of a spec", "such as extends: resnet:50"), extends.place)
        name, variant = split_variant(extends.value)
        try:
            base = self.find(name, Path(source.name).parent if is_path(name) else Path.cwd())
        except UnreadableSpec as error:
            raise Misplaced(Mistake("extends", str(error)), extends.place) from None
        if base.name in (*chain, source.name):
            raise Misplaced(
                Mistake("extends-cycle", f"{base.name} extends itself", facts=[" -> ".join((*chain, source.name, base.name))]),
                extends.place,
            )
        return extend(self.chosen(self.extended(base, (*chain, source.name)), variant, extends.place), tree)

    def chosen(self, tree: Mapping, variant: str | None, place: Place) -> Mapping:
        """The tree with the settings of a variant."""
        if variant is None:
            return tree
        variants = tree.entries.get("variants")
        known = variants.entries if isinstance(variants, Mapping) else {}
        if variant not in known:
            help = did_you_mean(variant, known) or ("its variants: " + ", ".join(known) if known else "it has none")
            raise Misplaced(Mistake("unknown-variant", f"there is no variant `{variant}`", help), place)
        return self.with_settings(tree, known[variant])

    def with_settings(self, tree: Mapping, variant: Node) -> Mapping:
        if not isinstance(variant, Mapping):
            raise Misplaced(
                Mistake("wrong-type", "a variant maps variables or paths to values", "{} is the file as written"), variant.place
            )
        for path, value in variant.entries.items():
            tree = override(tree, path, value, variant.key(path))
        return tree

    def check_as_written(self, tree: Mapping, uses: Uses) -> None:
        """The file and all its variants are read, whichever is asked for: a mistake or a use anywhere counts."""
        vars = tree.entries.get("vars")
        variants = tree.entries.get("variants")
        known = vars.entries if isinstance(vars, Mapping) else {}
        read_document(tree, self.findings, uses)
        for variant in variants.entries.values() if isinstance(variants, Mapping) else ():
            try:
                changed = self.with_settings(tree, variant)
            except Misplaced as found:
                self.findings.add(found.mistake.at(found.place))
                continue
            if isinstance(variant, Mapping) and not known.keys() >= variant.entries.keys():
                read_document(changed, self.findings, uses)

    def unused(self, uses: Uses) -> None:
        for (sort, owner, name), place in uses.unused():
            whose = f" of block {owner}" if sort == "argument" else ""
            use = f"call it as a layer: - {name}" if sort == "block" else f"use it as ${name}"
            self.findings.error("unused", place, f"the {sort} `{name}`{whose} is never used", f"take it out, or {use}")

    def recipe(self, net: Net, graph: Graph) -> Recipe | None:
        train = net.tree.entries.get("train")
        if train is None:
            return None
        vars = {name: exact(node) for name, node in net.vars.items() if not node.dynamic}
        try:
            filled = substitute(train, Sight(Around(vars, Scope(), Frame(), None), None))
        except Unknown:
            return None
        recipe = read_options(Recipe, filled, net.tree.key("train"), "train", self.findings)
        if recipe and not graph.broken:
            self.layer_settings(recipe, filled, graph)
        return recipe

    def layer_settings(self, recipe: Recipe, train: Node, graph: Graph) -> None:
        """Names under train.layers must be the beginning of a name that has parameters."""
        written = train.entries.get("layers") if isinstance(train, Mapping) else None
        names = {
            ".".join(parts[:n]) for node in graph if node.parameters for parts in [node.name.split(".")] for n in range(1, len(parts) + 1)
        }
        for name in written.entries if isinstance(written, Mapping) else ():
            if name not in names and isinstance(written, Mapping):
                self.findings.error(
                    "unknown-name", written.key(name), f"no layer with parameters is called `{name}`", did_you_mean(name, names)
                )


def is_path(name: str) -> bool:
    return name.endswith((".yaml", ".yml")) or "/" in name or os.sep in name


def split_variant(spec: str) -> tuple[str, str | None]:
    """NAME:VARIANT -> both; a path may hold colons of its own before its ending."""
    head, colon, tail = spec.rpartition(":")
    if not colon or "/" in tail or tail.endswith((".yaml", ".yml")):
        return spec, None
    return head, tail


def read_file(path: Path, shown: str) -> Source:
    try:
        if path.is_dir():
            raise UnreadableSpec(f"{shown} is a folder: name the file in it")
        if path.stat().st_size > MAX_BYTES:
            raise UnreadableSpec(f"{shown} is larger than {MAX_BYTES // 1_000_000} MB: this is no spec")
        return Source(shown, path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise UnreadableSpec(f"{shown} is not UTF-8 (byte {error.start}): save it as UTF-8") from None
    except OSError as error:
        raise UnreadableSpec(f"{shown}: {error.strerror or error}".replace("No such file or directory", "there is no such file")) from None
