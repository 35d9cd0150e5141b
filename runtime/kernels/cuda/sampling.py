"""Affine sampling: places are worked out in double precision and without fused operations, so that all pick the same cells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from netcompiler.scalar import literal
from runtime.arrays import Array
from runtime.kernels.behind import Behind, plain
from runtime.kernels.cuda import pointwise
from runtime.kernels.cuda.code import TYPES
from runtime.kernels.cuda.finish import Finish
from runtime.kernels.cuda.slide import BLOCK, Slide, Source, source
from runtime.kernels.cuda.steps import Launch
from runtime.kernels.cuda.text import Kernel, blocks
from runtime.kernels.cuda.walk import striding, walk
from runtime.kernels.layout import collapsed

RESIDENT = 4
"""Blocks at least: places in double precision take many registers, and none is to be spilled for more of them."""

FUNCTIONS = """__device__ inline i64 mirrored(i64 cell, i64 cells) {
    const i64 turn = (cell % (2 * cells) + 2 * cells) % (2 * cells);
    return turn < cells ? turn : 2 * cells - 1 - turn;
}
__device__ inline int nearest(i64 cell, i64 cells) { return cell < 0 ? 0 : cell < cells ? cell : cells - 1; }"""


def resample(
    y: Array, x: Array, affine: Array, *, size: Sequence[int], filter: str, border: str, behind: Behind | None = None
) -> Iterator[Launch]:
    sides = range(1, 1 + len(size))
    reaches = {axis: Sampled(x.shape[axis], filter, border) for axis in sides}
    matrix = Source(affine, (_picture(affine), *(0 for _ in y.shape[1:])), tuple(0 for _ in sides))
    finish = Finish(behind or plain(y))
    slide = Slide(finish.results, [source(x, sides), matrix], reaches, apart=finish.axes, beside=finish.beside)
    many, kernel = slide.many, slide.kernel
    kernel.functions.append(FUNCTIONS)
    places = [f"at{i}" for i in (*range(many), *range(many + 2, len(slide.way.arrays)))]
    yield slide.launch(
        [
            f"float sums[{slide.way.width}] = {{}};",
            *_places(kernel, affine, f"at{many + 1}", [slide.position(axis) for axis in sides], x.shape[1:-1], size),
        ],
        [_weight(sides), *slide.each(f"sums[l] += weight * {slide.way.loaded(many, 'l')};")],
        finish.lines(kernel, "sums[l]", places, slide.way.width, [slide.position(axis) for axis in finish.axes]),
        RESIDENT,
    )


def resample_dx(dx: Array, dy: Array, affine: Array, *, size: Sequence[int], filter: str, border: str) -> Iterator[Launch]:
    """A thread goes through one channel of a picture: what is read by several is added in order."""
    yield from pointwise.map(dx, exprs=(literal(0.0),), shape=dx.shape, dtype="f32")
    kernel, sides = Kernel(), range(1, 1 + len(size))
    first = tuple(slice(1) if axis in sides else slice(None) for axis in range(dx.ndim))
    matrix = Source(affine, (_picture(affine), *(0 for _ in dx.shape[1:])), ())
    arrays = (dx[first], dy[first], matrix.lying(dx[first].shape))
    way = replace(walk(collapsed(arrays[0].shape, arrays, {}), arrays), width=1)
    opening = [f"for (int q{s} = 0; q{s} < {kernel.number(dy.shape[axis])}; ++q{s}) {{" for s, axis in enumerate(sides)]
    opening += _places(kernel, affine, "at2", [f"q{s}" for s in range(len(size))], size, dy.shape[1:-1])
    for s, axis in enumerate(sides):
        opening += Sampled(dx.shape[axis], filter, border).opened(kernel, s, "")
    value = f"*(const {TYPES[way.dtypes[1]]}*)({_cell(kernel, 'at1', 'q', dy, sides)})"
    added = f"*({TYPES[way.dtypes[0]]}*)({_cell(kernel, 'at0', 'c', dx, sides)}) += weight * {value};"
    body = [*opening, _weight(sides), added, "}" * sum(line.count("{") for line in opening)]
    kernel.functions.append(FUNCTIONS)
    kernel.lines = striding(way.unsigned, kernel.number(way.packs), [*way.positions(kernel, "i"), *way.addresses(kernel), *body])
    yield kernel.launch(blocks(way.packs, BLOCK), (BLOCK, 1, 1), [dx, dy, affine], [dx])


@dataclass(frozen=True)
class Sampled:
    """Whole cells near a place along a side, each with its share."""

    cells: int
    filter: str
    border: str

    def opened(self, kernel: Kernel, j: int, position: str) -> list[str]:
        cells = kernel.number(self.cells)
        inside = f"cell{j} >= 0 && cell{j} < {cells}" if self.border == "zero" else ""
        folded = f"mirrored(cell{j}, {cells})" if self.border == "mirror" else f"cell{j}"
        return [
            *NEAR[self.filter](j),
            *([f"if ({inside}) {{"] if inside else []),
            f"const int c{j} = nearest({folded}, {cells});",
        ]


def _one(j: int) -> list[str]:
    return [f"{{ const i64 cell{j} = (i64)floor(__dadd_rn(place{j}, 0.5)); const double share{j} = 1;"]


def _two(j: int) -> list[str]:
    return [
        f"#pragma unroll\nfor (int k{j} = 0; k{j} < 2; ++k{j}) {{",
        f"const double low{j} = floor(place{j}), share{j} = k{j} ? place{j} - low{j} : 1 - (place{j} - low{j});",
        f"const i64 cell{j} = (i64)(low{j} + k{j});",
    ]


NEAR = {"nearest": _one, "bilinear": _two}


def _places(kernel: Kernel, affine: Array, matrix: str, positions: Sequence[str], sides: Sequence[int], size: Sequence[int]) -> list[str]:
    """Lines that work out place0, place1, …: where the map sends a cell, both counted from the middle."""
    row, column = (kernel.number(step) for step in affine.strides[1:])

    def number(s: int, a: int) -> str:
        return f"(double)*(const float*)({matrix} + {s} * {row} + {a} * {column})"

    middles = [f"0.5 * (double)({kernel.number(n)} - 1)" for n in size]
    lines = [f"const double from{a} = (double){at} - {middle};" for a, (at, middle) in enumerate(zip(positions, middles, strict=True))]
    for s, n in enumerate(sides):
        lines.append(f"double place{s} = __dadd_rn({number(s, len(size))}, 0.5 * (double)({kernel.number(n)} - 1));")
        lines += [f"place{s} = __dadd_rn(place{s}, __dmul_rn({number(s, a)}, from{a}));" for a in range(len(size))]
    return lines


def _weight(sides: Sequence[int]) -> str:
    return f"const float weight = (float)({' * '.join(f'share{j}' for j in range(len(sides)))});"


def _cell(kernel: Kernel, at: str, name: str, array: Array, sides: Sequence[int]) -> str:
    return " + ".join([at, *(f"{name}{s} * (i64){kernel.number(array.strides[axis])}" for s, axis in enumerate(sides))])


def _picture(affine: Array) -> int:
    """Bytes from one picture's map to the next; 0 where all have the same."""
    return affine.strides[0] if len(affine) > 1 else 0
