"""The arena as a picture in text: addresses upwards, time to the right, and what lies where; below it the largest values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from netcompiler.diagnostics import Style
from netcompiler.plan import Plan, Program
from netcompiler.report import figures
from netcompiler.report.columns import Column, as_lines, fit
from netcompiler.report.summary import as_text
from netcompiler.verify.memory import Block, Homes, blocks, fullest

ROWS = 24
NARROWEST = 40
USUAL = 120
MARGIN = 11
LARGEST = 12
SHADES = "░▒▓"


def memory_map(plan: Plan, program: Program, width: int | None, style: Style) -> list[str]:
    homes = {**plan.homes[""], **plan.homes[program.name]}
    found = blocks(program, homes)
    size = max((block.end for block in found), default=0)
    lines = as_text([(program.name, _verdict(program, homes, size))], width, style)
    if found:
        columns = max(NARROWEST, (width or USUAL) - MARGIN - 2)
        lines += [*_picture(program, found, size, columns), "", *_largest(program, found, width, style)]
    return lines


def segment_table(plan: Plan, width: int | None, style: Style) -> list[str]:
    """Every segment with its size and how many states lie in it."""
    counts = {name: sum(state.segment == name for state in plan.states.values()) for name in plan.segments}
    columns = [
        Column("segment", (*plan.segments, "total")),
        Column("values", (*(f"{count:,}" if count else "" for count in counts.values()), ""), right=True),
        Column("bytes", (*(f"{size:,}" for size in plan.segments.values()), f"{sum(plan.segments.values()):,}"), right=True),
        Column("", (*map(figures.size, plan.segments.values()), figures.size(sum(plan.segments.values()))), right=True),
    ]
    return as_lines(fit([columns], width), style)


def _verdict(program: Program, homes: Homes, size: int) -> str:
    least = fullest(program, homes)
    much = f"{figures.size(size)} of arena for {len(program.instructions):,} instructions"
    if size <= least:
        return f"{much}: what lives at once at the fullest moment, and no more"
    return f"{much}: {100 * (size - least) / least:.1f}% more than the {figures.size(least)} that live at once at the fullest moment"


def _picture(program: Program, found: Sequence[Block], size: int, columns: int) -> Iterator[str]:
    canvas = _Canvas(size, len(program.instructions), columns)
    for index, block in enumerate(sorted(found, key=lambda block: (block.begin, block.first))):
        canvas.paint(block, SHADES[index % len(SHADES)])
    for block in sorted(found, key=lambda block: block.area):
        canvas.label(block, _label(program, block))
    for row, text in enumerate(canvas.lines()):
        edge = size * (ROWS - row) // ROWS
        yield f"{figures.size(edge) if row % 6 == 0 else '':>{MARGIN - 2}} ┤{text}".rstrip()
    yield f"{'0 B':>{MARGIN - 2}} └{_axis(program, columns)}"


def _axis(program: Program, columns: int) -> str:
    """Where the backward half begins."""
    if not program.forward:
        return "─" * columns
    at = columns * program.forward // len(program.instructions)
    word = "┬ backward "
    return ("─" * at + word[: columns - at]).ljust(columns, "─")


def _label(program: Program, block: Block) -> str:
    """The value that is written first, and the layer that it comes from."""
    return f"{block.values[0].name} {program.instructions[block.first].origin.rpartition(' ')[2]}"


class _Canvas:
    """A cell shows the block that has most of it."""

    def __init__(self, size: int, instructions: int, columns: int) -> None:
        self.high = size / ROWS
        self.wide = instructions / columns
        self.columns = columns
        self.cells = [[(0.0, " ")] * columns for _ in range(ROWS)]

    def paint(self, block: Block, shade: str) -> None:
        for row, share in _spread(block.begin / self.high, block.end / self.high, ROWS):
            for column, part in _spread(block.first / self.wide, (block.last + 1) / self.wide, self.columns):
                if share * part > self.cells[row][column][0]:
                    self.cells[row][column] = (share * part, shade)

    def label(self, block: Block, text: str) -> None:
        """In the middle of its rows, where there is room for it or at least for the name."""
        rows, columns = (
            self._inner(block.begin / self.high, block.end / self.high),
            self._inner(block.first / self.wide, block.last / self.wide),
        )
        name = text.partition(" ")[0]
        text = text if len(text) + 2 <= len(columns) else name
        if rows and len(text) + 2 <= len(columns):
            for column, letter in zip(columns[1:], f" {text} ", strict=False):
                self.cells[rows[len(rows) // 2]][column] = (1.0, letter)

    def lines(self) -> Iterator[str]:
        """The highest addresses first."""
        return ("".join(shade for _, shade in row) for row in reversed(self.cells))

    def _inner(self, begin: float, end: float) -> range:
        return range(int(begin + 0.5), int(end + 0.5))


def _spread(begin: float, end: float, most: int) -> Iterator[tuple[int, float]]:
    """The cells from begin to end, and how much of each."""
    for cell in range(int(begin), min(most, int(-(-end // 1)))):
        yield cell, min(end, cell + 1) - max(begin, cell)


def _largest(program: Program, found: Sequence[Block], width: int | None, style: Style) -> list[str]:
    largest = sorted(found, key=lambda block: (-block.size, block.first))[:LARGEST]
    values = [_values(block) for block in largest]
    columns = [
        Column("largest", tuple(values), least=8),
        Column("bytes", tuple(figures.size(block.size) for block in largest), right=True),
        Column("from", tuple(f"{block.first}" for block in largest), right=True),
        Column("to", tuple(f"{block.last}" for block in largest), right=True),
        Column("written by", tuple(_origin(program, block) for block in largest), least=12, keep="end"),
    ]
    return as_lines(fit([columns, columns[:4]], width), style)


def _values(block: Block) -> str:
    """Names of what lies there, one after another or side by side."""
    names = [value.name for value in block.values]
    return " ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _origin(program: Program, block: Block) -> str:
    instruction = program.instructions[block.first]
    return f"{instruction.op} {instruction.origin}"
