"""A spec by name or path -> graph, recipe and diagnostics: finding, parsing, extending, overriding, reading, expanding."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from netcompiler import zoo
from netcompiler.diagnostics import Diagnostic, Mistake, SpecError, did_you_mean
from netcompiler.document import first_character, read_document
from netcompiler.expand import expand
from netcompiler.flow import Around, Frame, Scope, Sight, Unknown
from netcompiler.graph import Graph
from netcompiler.identifiers import Uses
from netcompiler.net import Net
from netcompiler.overrides import extend, override, setting
from netcompiler.reader import Findings, TooMany, is_null, read_options
from netcompiler.recipe import Recipe
from netcompiler.source import MAX_BYTES, Mapping, Node, Place, Scalar, Source, parse
from netcompiler.training import check_training
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
    loader = _Loader(stdin_text)
    found = loader.findings.list
    try:
        loader.load(spec, settings)
    except TooMany:
        last = found[-1].place
        found.append(Diagnostic("too-many", last, f"there are more mistakes than these {len(found)}", help="mend some, and ask again"))
    return Loaded(loader.graph, loader.recipe, _in_order(found))


def _in_order(diagnostics: list[Diagnostic]) -> list[Diagnostic]:
    """By place in each file, files in the order in which they were met."""
    files = {d.place.source.name: index for index, d in reversed(list(enumerate(diagnostics)))}
    return sorted(diagnostics, key=lambda d: (files[d.place.source.name], d.place.line, d.place.column))


class _Loader:
    """The steps from a name to a graph; a mistake in one ends it, and the next ones work with what there is."""

    def __init__(self, stdin_text: str | None) -> None:
        self.findings = Findings()
        self.stdin_text = stdin_text
        self.uses = Uses()
        self.slips: list[Diagnostic] = []
        self.graph: Graph | None = None
        self.recipe: Recipe | None = None

    def load(self, spec: str, settings: Sequence[str]) -> None:
        name, variant = split_variant(spec)
        source = self.find(name, Path())
        with self.reported():
            tree = self.extended(source, ())
            written = self.as_written(tree)
            for slip in self.slips:
                self.findings.add(slip)
            chosen = self.chosen(tree, variant, _place_of_variant(spec, name))
            for text in settings:
                with self.reported():
                    chosen = override(chosen, *setting(text))
            if self.slips:
                return  # what they hide is not known, and would be called unused or missing
            net = _with_variables(written, chosen) or read_document(chosen, self.findings, self.uses)
            self.unused()
            self.graph = expand(net, source.name, variant, self.findings)
            with self.reported():
                self.train(net, self.graph)

    @contextmanager
    def reported(self) -> Iterator[None]:
        """Mistakes that end a step become findings."""
        try:
            yield
        except SpecError as error:
            for diagnostic in (*self.slips, *error.diagnostics):
                self.findings.add(diagnostic)
        except Misplaced as found:
            self.findings.add(found.mistake.at(found.place))

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
        path = os.path.normpath(beside / name)
        return read_file(Path(path), path)

    def extended(self, source: Source, chain: tuple[str, ...]) -> Mapping:
        """The tree of a file over the tree of the spec that it extends."""
        tree = parse(source, found=self.slips)
        if not isinstance(tree, Mapping):
            raise Misplaced(
                Mistake(
                    "wrong-type",
                    "a spec is a mapping with the keys netc, name, input and layers",
                    "`netc new NAME` writes one to start from",
                ),
                first_character(tree.place),
            )
        extends = tree.entries.get("extends")
        if extends is None:
            if "patch" in tree.entries:
                message = "`patch` changes the spec that `extends` names, and there is no `extends`"
                self.findings.error("patch", tree.key("patch"), message, "change the layers themselves")
            return tree
        if not isinstance(extends, Scalar) or not isinstance(extends.value, str):
            raise Misplaced(Mistake("wrong-type", "`extends` is the name of a spec", "such as extends: resnet:50"), extends.place)
        name, variant = split_variant(extends.value)
        if name == "-":
            raise Misplaced(Mistake("extends", "a spec cannot extend standard input", "name a net of the zoo, or a file"), extends.place)
        try:
            base = self.find(name, Path(source.name).parent)
        except UnreadableSpec as error:
            raise Misplaced(Mistake("extends", str(error)), extends.place) from None
        if base.name in (*chain, source.name):
            facts = [" -> ".join((*chain, source.name, base.name))]
            mistake = Mistake("extends-cycle", f"{base.name} extends itself", "build on another spec, or on none", facts)
            raise Misplaced(mistake, extends.place)
        below = self.extended(base, (*chain, source.name))
        with suppress(TooMany):
            read_document(below, Findings(), self.uses)  # what only the base uses is used
        return extend(self.chosen(below, variant, extends.place), tree)

    def chosen(self, tree: Mapping, variant: str | None, place: Place) -> Mapping:
        """The tree with the settings of a variant."""
        if variant is None:
            return tree
        variants = tree.entries.get("variants")
        known = variants.entries if isinstance(variants, Mapping) else {}
        if variant not in known:
            help = did_you_mean(variant, known) or ("its variants: " + ", ".join(known) if known else "this spec has none")
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

    def as_written(self, tree: Mapping) -> Net:
        """The file and all its variants are read, whichever is asked for: a mistake or a use anywhere counts."""
        net = read_document(tree, self.findings, self.uses)
        variants = tree.entries.get("variants")
        for variant in variants.entries.values() if isinstance(variants, Mapping) else ():
            with self.reported():
                changed = self.with_settings(tree, variant)
                if isinstance(variant, Mapping) and not net.vars.keys() >= variant.entries.keys():
                    read_document(changed, self.findings, self.uses)
        return net

    def unused(self) -> None:
        for (sort, owner, name), place in self.uses.unused():
            whose = f" of block {owner}" if sort == "argument" else ""
            use = f"call it as a layer: - {name}" if sort == "block" else f"use it as ${name}"
            self.findings.error("unused", place, f"the {sort} `{name}`{whose} is never used", f"take it out, or {use}")

    def train(self, net: Net, graph: Graph) -> None:
        train, place = net.tree.entries.get("train"), net.tree.key("train")
        if train is None or is_null(train):
            return
        vars = {name: exact(node) for name, node in net.vars.items() if not node.dynamic}
        try:
            filled = substitute(train, Sight(Around(vars, Scope(), Frame(), None), None))
        except Unknown:
            return  # a finding is there already
        self.recipe = read_options(Recipe, filled, place, "train", self.findings)
        if self.recipe and isinstance(filled, Mapping) and not graph.broken:
            check_training(self.recipe, filled, place, graph, self.findings)


def _with_variables(net: Net, tree: Mapping) -> Net | None:
    """A net under a tree that differs in the values of variables at most: nothing that was read depends on them."""
    vars = tree.entries.get("vars")
    if tree.entries.keys() != net.tree.entries.keys():
        return None
    if any(node is not net.tree.entries[key] for key, node in tree.entries.items() if key != "vars"):
        return None
    return replace(net, tree=tree, vars=vars.entries if isinstance(vars, Mapping) else net.vars)


def _place_of_variant(spec: str, name: str) -> Place:
    return Place(Source("command line", spec), 1, len(name) + 2, 1, len(spec) + 1)


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
    except ValueError:
        raise UnreadableSpec(f"{shown!r}: no file can be called so") from None
    except OSError as error:
        raise UnreadableSpec(f"{shown}: {error.strerror or error}".replace("No such file or directory", "there is no such file")) from None
