"""Subnormal numbers as zeros: each costs an Intel CPU 150 cycles, and moments of dead units sink into them.

The mode belongs to a thread and is a bit field of its floating-point control register: set it on entering a
compiled loop, put back what was there on leaving. Where there is no such register nothing happens.
"""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from fastnn_kernels._numba import cgutils

_I32, _I64 = ir.IntType(32), ir.IntType(64)
# MXCSR: flush results to zero, and take subnormal operands as zeros. FPCR: FZ does both.
X86_BITS, ARM_BITS = 0x8040, 1 << 24


def _mxcsr(builder, name, place):
    kind = ir.FunctionType(ir.VoidType(), [place.type])
    builder.call(cgutils.get_or_insert_function(builder.module, kind, f"llvm.x86.sse.{name}mxcsr"), [place])


def _read(builder, machine):
    if machine == "x86_64":
        place = cgutils.alloca_once(builder, _I32)
        _mxcsr(builder, "st", place)
        return builder.zext(builder.load(place), _I64)
    if machine == "aarch64":
        return builder.asm(ir.FunctionType(_I64, []), "mrs $0, fpcr", "=r", [], True)
    return _I64(0)


def _write(builder, machine, value):
    if machine == "x86_64":
        _mxcsr(builder, "ld", cgutils.alloca_once_value(builder, builder.trunc(value, _I32)))
    elif machine == "aarch64":
        builder.asm(ir.FunctionType(ir.VoidType(), [_I64]), "msr fpcr, $0", "r", [value], True)


def _machine(builder):
    return builder.module.triple.partition("-")[0].replace("arm64", "aarch64")


@intrinsic
def control(typingctx):
    """The control register of this thread, int64."""
    return types.int64(), lambda context, builder, signature, args: _read(builder, _machine(builder))


@intrinsic
def flush_subnormals(typingctx):
    """From here on this thread takes subnormal numbers as zeros; what the register was, for `restore`."""

    def codegen(context, builder, signature, args):
        machine = _machine(builder)
        before = _read(builder, machine)
        bits = {"x86_64": X86_BITS, "aarch64": ARM_BITS}.get(machine, 0)
        _write(builder, machine, builder.or_(before, _I64(bits)))
        return before

    return types.int64(), codegen


@intrinsic
def restore(typingctx, before):
    """Put the control register back to what it was."""

    def codegen(context, builder, signature, args):
        _write(builder, _machine(builder), args[0])
        return context.get_dummy_value()

    return types.void(types.int64), codegen
