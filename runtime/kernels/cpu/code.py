"""Kernels are written with this: loops, addresses and vectors over llvmlite's builder.

A kernel is `void f(args, lo, hi, scratch)`: a table of numbers and addresses, a range of its work, bytes of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from llvmlite import ir

from netcompiler.plan import SIZES
from runtime.kernels.cpu.machine import machine

I1, I8, I16, I32, I64 = (ir.IntType(bits) for bits in (1, 8, 16, 32, 64))
F32, F64 = ir.FloatType(), ir.DoubleType()
PTR = ir.PointerType()
TYPES: dict[str, Any] = {"f64": F64, "f32": F32, "i64": I64, "i32": I32, "u32": I32, "u16": I16, "u8": I8, "b1": I8}
"""What an element is in memory."""

FAST = ("contract", "reassoc", "nsz", "arcp")
"""What arithmetic may do; NaN and infinity stay what they are."""

Number = Any
"""An ir.Value, or a Python int where it is known."""


class Code:
    """A function under construction. Integers are 64 bits wide; addresses are integers too."""

    def __init__(self, symbol: str) -> None:
        self.module = ir.Module(symbol)
        self.module.triple = ""
        self.function = ir.Function(self.module, ir.FunctionType(ir.VoidType(), [PTR, I64, I64, PTR]), symbol)
        self.function.attributes.add("nounwind")
        self.b = ir.IRBuilder(self.function.append_basic_block("entry"))
        self.args, self.lo, self.hi, scratch = self.function.args
        self.scratch = self.b.ptrtoint(scratch, I64)
        self._table: dict[int, ir.Value] = {}
        self._entry = self.function.entry_basic_block

    def text(self) -> str:
        self.b.ret_void()
        return str(self.module)

    # numbers

    def arg(self, i: int) -> ir.Value:
        """A number of the table; read once, where the function begins."""
        if i not in self._table:
            with self.at_entry():
                slot = self.b.gep(self.args, [I64(i)], source_etype=I64)
                self._table[i] = self.b.load(slot, typ=I64)
        return self._table[i]

    @contextmanager
    def at_entry(self) -> Iterator[None]:
        """Writes into the first block, in front of its end."""
        here = self.b.block
        if here is self._entry and not here.is_terminated:
            yield
            return
        self.b.position_before(self._entry.terminator)
        yield
        self.b.position_at_end(here)

    def whole(self, value: Number) -> ir.Value:
        return I64(value) if isinstance(value, int) else value

    def add(self, a: Number, b: Number) -> Number:
        if isinstance(a, int) and isinstance(b, int):
            return a + b
        return b if a == 0 and isinstance(a, int) else a if b == 0 and isinstance(b, int) else self.b.add(self.whole(a), self.whole(b))

    def sub(self, a: Number, b: Number) -> Number:
        if isinstance(a, int) and isinstance(b, int):
            return a - b
        return a if isinstance(b, int) and b == 0 else self.b.sub(self.whole(a), self.whole(b))

    def mul(self, a: Number, b: Number) -> Number:
        if isinstance(a, int) and isinstance(b, int):
            return a * b
        if isinstance(a, int):
            a, b = b, a
        return a if isinstance(b, int) and b == 1 else 0 if isinstance(b, int) and b == 0 else self.b.mul(self.whole(a), self.whole(b))

    def total(self, *terms: Number) -> Number:
        sum_: Number = 0
        for term in terms:
            sum_ = self.add(sum_, term)
        return sum_

    def div(self, a: Number, b: Number) -> ir.Value:
        """Of what is not negative."""
        return self.b.udiv(self.whole(a), self.whole(b))

    def rem(self, a: Number, b: Number) -> ir.Value:
        return self.b.urem(self.whole(a), self.whole(b))

    def min(self, a: Number, b: Number) -> Number:
        a, b = self.whole(a), self.whole(b)
        return self.b.select(self.b.icmp_signed("<", a, b), a, b)

    def max(self, a: Number, b: Number) -> Number:
        a, b = self.whole(a), self.whole(b)
        return self.b.select(self.b.icmp_signed(">", a, b), a, b)

    def compare(self, mark: str, a: Number, b: Number) -> ir.Value:
        return self.b.icmp_signed(mark, self.whole(a), self.whole(b))

    def both(self, *truths: ir.Value) -> ir.Value:
        whole = truths[0]
        for truth in truths[1:]:
            whole = self.b.and_(whole, truth)
        return whole

    # control

    @contextmanager
    def loop(self, begin: Number, end: Number, step: Number = 1) -> Iterator[ir.Value]:
        """for i in range(begin, end, step)"""
        begin, end = self.whole(begin), self.whole(end)
        head, body, behind = (self.function.append_basic_block(name) for name in ("head", "body", "behind"))
        before = self.b.block
        self.b.branch(head)
        self.b.position_at_end(head)
        i = self.b.phi(I64)
        i.add_incoming(begin, before)
        self.b.cbranch(self.b.icmp_signed("<", i, end), body, behind)
        self.b.position_at_end(body)
        yield i
        i.add_incoming(self.b.add(i, self.whole(step), flags=("nsw",)), self.b.block)
        self.b.branch(head)
        self.b.position_at_end(behind)

    @contextmanager
    def reduce(self, begin: Number, end: Number, step: Number, start: Sequence[ir.Value]) -> Iterator[Carried]:
        """A loop that carries values: `carried.values` at the start of each round, `carried.next` what the round makes of them,
        `carried.result` what is left behind the loop."""
        begin, end = self.whole(begin), self.whole(end)
        head, body, behind = (self.function.append_basic_block(name) for name in ("head", "body", "behind"))
        before = self.b.block
        self.b.branch(head)
        self.b.position_at_end(head)
        i = self.b.phi(I64)
        i.add_incoming(begin, before)
        phis = [self.b.phi(value.type) for value in start]
        for phi, value in zip(phis, start, strict=True):
            phi.add_incoming(value, before)
        self.b.cbranch(self.b.icmp_signed("<", i, end), body, behind)
        self.b.position_at_end(body)
        carried = Carried(i, phis)
        yield carried
        i.add_incoming(self.b.add(i, self.whole(step), flags=("nsw",)), self.b.block)
        for phi, value in zip(phis, carried.next, strict=True):
            phi.add_incoming(value, self.b.block)
        self.b.branch(head)
        self.b.position_at_end(behind)

    @contextmanager
    def when(self, truth: ir.Value) -> Iterator[None]:
        with self.b.if_then(truth):
            yield

    # memory

    def at(self, base: Number, index: Number, dtype: str = "f32") -> Number:
        """The address of an element."""
        return self.add(base, self.mul(index, SIZES[dtype]))

    def pointer(self, address: Number) -> ir.Value:
        return self.b.inttoptr(self.whole(address), PTR)

    def load(self, address: Number, dtype: str = "f32", lanes: int = 1) -> ir.Value:
        element = TYPES[dtype]
        typ = element if lanes == 1 else ir.VectorType(element, lanes)
        return self.b.load(self.pointer(address), typ=typ, align=element_bytes(element))

    def store(self, value: ir.Value, address: Number) -> None:
        element = value.type.element if isinstance(value.type, ir.VectorType) else value.type
        self.b.store(value, self.pointer(address), align=element_bytes(element))

    def store_either(self, value: ir.Value, address: Number, past: Number) -> None:
        """Past the caches where `past` is 1 and the vector a whole line, else into them."""
        if not isinstance(value.type, ir.VectorType) or value.type.count * element_bytes(value.type.element) != LINE:
            self.store(value, address)
            return
        within = self.b.and_(self.whole(address), self.whole(LINE - 1))
        with self.b.if_else(self.b.icmp_unsigned("<", within, self.whole(past))) as (line, other):
            with line:
                self.store_past(value, address)
            with other:
                self.store(value, address)

    def store_past(self, value: ir.Value, address: Number) -> None:
        """A whole line of the cache, past the caches: for what is not read soon."""
        store = self.b.store(value, self.pointer(address), align=value.type.count * element_bytes(value.type.element))
        store.set_metadata("nontemporal", self.module.add_metadata([I32(1)]))

    def mask(self, count: Number, lanes: int) -> ir.Value:
        """The first `count` lanes."""
        index = ir.Constant(ir.VectorType(I64, lanes), list(range(lanes)))
        return self.b.icmp_signed("<", index, self.splat(self.whole(count), lanes))

    def load_masked(self, address: Number, mask: ir.Value, dtype: str = "f32") -> ir.Value:
        """0 where the mask is not set."""
        typ = ir.VectorType(TYPES[dtype], mask.type.count)
        arguments = [self.pointer(address), I32(element_bytes(typ.element)), mask, ir.Constant(typ, None)]
        return self.call(f"llvm.masked.load.{mangled(typ)}.p0", typ, arguments)

    def store_masked(self, value: ir.Value, address: Number, mask: ir.Value) -> None:
        arguments = [value, self.pointer(address), I32(element_bytes(value.type.element)), mask]
        self.call(f"llvm.masked.store.{mangled(value.type)}.p0", ir.VoidType(), arguments)

    def prefetch(self, address: Number, write: bool = False, near: bool = True) -> None:
        """Asks for the line of an address, which need not exist; where it is not wanted soon, not into the first cache."""
        arguments = [self.pointer(address), I32(int(write)), I32(3 if near else 2), I32(1)]
        self.call("llvm.prefetch.p0", ir.VoidType(), arguments)

    # vectors

    def splat(self, value: ir.Value, lanes: int) -> ir.Value:
        if lanes == 1:
            return value
        typ = ir.VectorType(value.type, lanes)
        if isinstance(value, ir.Constant):
            return ir.Constant(typ, [value.constant] * lanes)
        one = self.b.insert_element(ir.Constant(typ, ir.Undefined), value, I32(0))
        return self.b.shuffle_vector(one, ir.Constant(typ, ir.Undefined), ir.Constant(ir.VectorType(I32, lanes), [0] * lanes))

    def shuffle(self, a: ir.Value, b: ir.Value, lanes: Sequence[int]) -> ir.Value:
        """The given lanes of a and, behind them, b."""
        return self.b.shuffle_vector(a, b, ir.Constant(ir.VectorType(I32, len(lanes)), list(lanes)))

    def real(self, value: float, lanes: int = 1, dtype: str = "f32") -> ir.Value:
        typ = TYPES[dtype]
        return ir.Constant(typ if lanes == 1 else ir.VectorType(typ, lanes), value if lanes == 1 else [value] * lanes)

    def call(self, name: str, result: ir.Type, arguments: Sequence[ir.Value], fast: Sequence[str] = ()) -> ir.Value:
        """An intrinsic, or a function of libm."""
        function = self.module.globals.get(name)
        if function is None:
            function = ir.Function(self.module, ir.FunctionType(result, [a.type for a in arguments]), name)
        return self.b.call(function, arguments, fastmath=fast)

    def intrinsic(self, name: str, *arguments: ir.Value, fast: Sequence[str] = FAST) -> ir.Value:
        """An intrinsic over the type of its arguments: sqrt, fma, floor, maxnum, ..."""
        typ = arguments[0].type
        return self.call(f"llvm.{name}.{mangled(typ)}", typ, arguments, fast)

    def fma(self, a: ir.Value, b: ir.Value, c: ir.Value) -> ir.Value:
        return self.intrinsic("fma", a, b, c, fast=())

    def fadd(self, a: ir.Value, b: ir.Value) -> ir.Value:
        return self.b.fadd(a, b, flags=FAST)

    def fsub(self, a: ir.Value, b: ir.Value) -> ir.Value:
        return self.b.fsub(a, b, flags=FAST)

    def fmul(self, a: ir.Value, b: ir.Value) -> ir.Value:
        return self.b.fmul(a, b, flags=FAST)

    def across(self, value: ir.Value) -> ir.Value:
        """The sum of a vector's lanes."""
        if not isinstance(value.type, ir.VectorType):
            return value
        element = value.type.element
        start = ir.Constant(element, -0.0)
        return self.call(f"llvm.vector.reduce.fadd.{mangled(value.type)}", element, [start, value], FAST)


class Carried:
    """The index of a round and the values that go from round to round."""

    def __init__(self, i: ir.Value, values: Sequence[ir.Value]) -> None:
        self.i = i
        self.values = list(values)
        self.next: list[ir.Value] = []

    @property
    def result(self) -> list[ir.Value]:
        return self.values


def mangled(typ: Any) -> str:
    """A type in the name of an intrinsic."""
    if isinstance(typ, ir.VectorType):
        return f"v{typ.count}{mangled(typ.element)}"
    return {F32: "f32", F64: "f64"}.get(typ) or f"i{typ.width}"


def element_bytes(typ: Any) -> int:
    return {F32: 4, F64: 8, PTR: 8}.get(typ) or max(1, typ.width // 8)


LANES = machine().lanes()
LINE = 64
"""Bytes of a line of the caches."""
Emit = Callable[..., None]
