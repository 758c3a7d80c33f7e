"""What the loops see through an address: numbers, rows of tables, and words that threads share."""

from llvmlite import ir
from numba import from_dtype, types
from numba.extending import intrinsic

from fastnn_kernels._numba import cgutils

_I32, _I64 = ir.IntType(32), ir.IntType(64)


def pointers(element):
    """For compiled code: an int64 address as a pointer to elements of this numba type."""

    @intrinsic
    def pointer(typingctx, address):
        def codegen(context, builder, signature, args):
            return builder.inttoptr(args[0], context.get_value_type(signature.return_type))

        return types.CPointer(element)(types.int64), codegen

    return pointer


integers, reals = pointers(types.int64), pointers(types.float64)


def rows_of(dtype):
    """For compiled code: row `index` of a table of this structured dtype that begins at an address."""
    record = from_dtype(dtype)

    @intrinsic
    def row(typingctx, address, index):
        def codegen(context, builder, signature, args):
            at = builder.add(args[0], builder.mul(args[1], _I64(dtype.itemsize)))
            return builder.inttoptr(at, context.get_value_type(signature.return_type))

        return record(types.int64, types.int64), codegen

    return row


@intrinsic
def atomic_add(typingctx, pointer, index, value):
    """pointer[index] += value in one indivisible step; the value before it."""

    def codegen(context, builder, signature, args):
        return builder.atomic_rmw("add", builder.gep(args[0], [args[1]]), args[2], "seq_cst")

    return pointer.dtype(pointer, types.int64, pointer.dtype), codegen


@intrinsic
def atomic_load(typingctx, pointer, index):
    """pointer[index] as other threads have last written it."""

    def codegen(context, builder, signature, args):
        return builder.load_atomic(builder.gep(args[0], [args[1]]), "seq_cst", pointer.dtype.bitwidth // 8)

    return pointer.dtype(pointer, types.int64), codegen


@intrinsic
def pause(typingctx):
    """Tell the processor that this is a spin loop, where it wants to know."""

    def codegen(context, builder, signature, args):
        name, operands = {
            "x86_64": ("llvm.x86.sse2.pause", []),
            "aarch64": ("llvm.aarch64.hint", [_I32(1)]),
        }.get(builder.module.triple.partition("-")[0], (None, []))
        if name:
            kind = ir.FunctionType(ir.VoidType(), [x.type for x in operands])
            builder.call(cgutils.get_or_insert_function(builder.module, kind, name), operands)
        return context.get_dummy_value()

    return types.void(), codegen
