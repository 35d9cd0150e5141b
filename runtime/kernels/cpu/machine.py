"""The processor as LLVM sees it: how wide its vectors are, and how text of a kernel becomes code for it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import llvmlite
import llvmlite.binding as llvm

from netcompiler.plan import SIZES


@dataclass(frozen=True)
class Machine:
    """`bytes` of a vector register, how many `registers` there are, and the `rows` of a register block of products."""

    name: str
    bytes: int
    registers: int
    rows: int
    columns: int
    pause: str = "llvm.donothing"
    """What a thread does while it looks whether others are ready."""

    def lanes(self, dtype: str = "f32") -> int:
        return self.bytes // SIZES[dtype]

    @property
    def block(self) -> int:
        """Channels of a register block: `columns` vectors side by side."""
        return self.columns * self.lanes()


@cache
def _triple() -> str:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return str(llvm.get_process_triple())


@cache
def _features() -> dict[str, bool]:
    try:
        return dict(llvm.get_host_cpu_features())
    except RuntimeError:  # LLVM does not know this processor: it gets what its family has
        return {}


@cache
def machine() -> Machine:
    """14 rows of 2 vectors fill the 32 registers of AVX-512 with 28 sums, 2 columns and a broadcast; likewise elsewhere."""
    features = _features()
    name = f"{_triple()} {llvm.get_host_cpu_name()} llvm {llvm.llvm_version_info} {llvmlite.__version__}"
    if features.get("avx512f") and features.get("avx512dq") and features.get("avx512vl"):
        return Machine(name, 64, 32, 14, 2, "llvm.x86.sse2.pause")
    if features.get("avx2") and features.get("fma"):
        return Machine(name, 32, 16, 6, 2, "llvm.x86.sse2.pause")
    if _triple().startswith(("aarch64", "arm64")):
        return Machine(name, 16, 32, 6, 4)
    return Machine(name, 16, 16, 6, 2)


def works() -> None:
    """Raises RuntimeError where LLVM makes no code for this processor."""
    assembled("define void @nothing() { ret void }")


def assembled(text: str) -> bytes:
    """Object code of a module's text, optimised for this processor."""
    module = llvm.parse_assembly(text)
    module.verify()
    target = _target()
    tuning = llvm.create_pipeline_tuning_options(speed_level=3)
    tuning.loop_unrolling = False  # blocks are unrolled where it pays when they are written; more only takes time to compile
    builder = llvm.create_pass_builder(target, tuning)
    builder.getModulePassManager().run(module, builder)
    return bytes(target.emit_object(module))


@cache
def _target() -> llvm.TargetMachine:
    features = ",".join(f"{'+' if on else '-'}{name}" for name, on in sorted(_features().items()))
    if _features().get("avx512f"):
        features += ",-prefer-256-bit"
    return llvm.Target.from_triple(_triple()).create_target_machine(llvm.get_host_cpu_name(), features, opt=3, reloc="static")


@cache
def _engine() -> llvm.ExecutionEngine:
    """Holds loaded code as long as the process lives; that of an object lies in one piece, for far from its numbers it cannot be linked."""
    _triple()
    target = llvm.Target.from_triple(_triple()).create_target_machine()
    return llvm.create_mcjit_compiler(llvm.parse_assembly(""), target, use_lmm=True)


def loaded(code: bytes, symbol: str) -> int:
    """The address of a function of object code."""
    engine = _engine()
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    return int(engine.get_function_address(symbol))
