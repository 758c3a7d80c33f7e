"""Pointers, atomics and the emitter of vector code: with tiles.py the only files that speak LLVM.

Everything here trusts its caller completely: the pointers are raw, nothing is checked.
"""

from llvmlite import binding, ir
from numba import types
from numba.core import cgutils, config
from numba.core.registry import cpu_target
from numba.extending import intrinsic
from numba.np.arrayobj import populate_array

_I1, _I32, _I64 = ir.IntType(1), ir.IntType(32), ir.IntType(64)


def _vector_bytes():
    """Ask the compiler: which registers does it take for the sum of two 512-bit vectors?"""
    triple, cpu, features = cpu_target.target_context.codegen().magic_tuple()
    if config.CPU_NAME and not config.CPU_FEATURES:
        features = ""  # numba would keep this machine's features under the name of another
    machine = binding.Target.from_triple(triple).create_target_machine(cpu=cpu, features=features, opt=2)
    add = binding.parse_assembly("""
        define void @add(ptr %p) {
          %v = load <16 x float>, ptr %p, align 4
          %w = fadd <16 x float> %v, %v
          store <16 x float> %w, ptr %p, align 4
          ret void
        }""")
    assembly = machine.emit_assembly(add)
    return 64 if "zmm" in assembly else 32 if "ymm" in assembly else 16


VECTOR_BYTES = _vector_bytes()


class Vectors:
    """Emits vector code for one element type; `mask` below is a vector of one bit a lane."""

    def __init__(self, builder, scalar):
        self.builder = builder
        self.size = scalar.bitwidth // 8
        self.lanes = VECTOR_BYTES // self.size
        self.element = ir.FloatType() if self.size == 4 else ir.DoubleType()
        self.vector = ir.VectorType(self.element, self.lanes)
        self.bits = ir.VectorType(_I1, self.lanes)
        self.zero = ir.Constant(self.vector, [ir.Constant(self.element, 0.0)] * self.lanes)

    def _intrinsic(self, name, result, arguments, *values):
        name = f"llvm.{name}.v{self.lanes}f{8 * self.size}"
        if "masked" in name:
            name += ".p0"
        kind = ir.FunctionType(result, arguments)
        return self.builder.call(cgutils.get_or_insert_function(self.builder.module, kind, name), values)

    def splat(self, value, vector=None):
        undefined = ir.Constant(vector or self.vector, ir.Undefined)
        zeros = ir.Constant(ir.VectorType(_I32, self.lanes), [0] * self.lanes)
        one = self.builder.insert_element(undefined, value, _I32(0))
        return self.builder.shuffle_vector(one, undefined, zeros)

    def first(self, count):
        """Mask of the first `count` lanes: all of them if it is larger, none if it is negative."""
        lanes = ir.VectorType(_I32, self.lanes)
        index = ir.Constant(lanes, list(range(self.lanes)))
        return self.builder.icmp_signed("<", index, self.splat(self.builder.trunc(count, _I32), lanes))

    def pointer(self, base, *offsets):
        """base + the sum of `offsets`, each an integer or an (index, stride) pair."""
        for offset in offsets:
            if isinstance(offset, tuple):
                offset = self.builder.mul(*(_I64(x) if isinstance(x, int) else x for x in offset))
            base = self.builder.gep(base, [_I64(offset) if isinstance(offset, int) else offset])
        return base

    def load(self, pointer, mask=None):
        pointer = self.builder.bitcast(pointer, self.vector.as_pointer())
        if mask is not None:
            kinds = [pointer.type, _I32, self.bits, self.vector]
            return self._intrinsic(
                "masked.load", self.vector, kinds, pointer, _I32(self.size), mask, self.zero
            )
        value = self.builder.load(pointer)
        value.align = self.size
        return value

    def store(self, value, pointer, mask=None):
        pointer = self.builder.bitcast(pointer, self.vector.as_pointer())
        if mask is not None:
            kinds = [self.vector, pointer.type, _I32, self.bits]
            self._intrinsic("masked.store", ir.VoidType(), kinds, value, pointer, _I32(self.size), mask)
        else:
            self.builder.store(value, pointer).align = self.size

    def fma(self, a, b, c):
        return self._intrinsic("fma", self.vector, [self.vector] * 3, a, b, c)

    def sum(self, vector):
        """The lanes' sum, by halves: one fixed order."""
        span = self.lanes // 2
        while span:
            upper = [(i + span) % self.lanes for i in range(self.lanes)]
            indices = ir.Constant(ir.VectorType(_I32, self.lanes), upper)
            vector = self.builder.fadd(vector, self.builder.shuffle_vector(vector, vector, indices))
            span //= 2
        return self.builder.extract_element(vector, _I32(0))

    def swap_blocks(self, rows, span):
        """One round of a transpose: exchange the off-diagonal `span` x `span` blocks of row pairs."""
        lanes = range(self.lanes)
        low = [i if not i & span else self.lanes + i - span for i in lanes]
        high = [i + span if not i & span else self.lanes + i for i in lanes]
        indices = ir.VectorType(_I32, self.lanes)
        result = list(rows)
        for i in lanes:
            if not i & span:
                pair = rows[i], rows[i + span]
                result[i] = self.builder.shuffle_vector(*pair, ir.Constant(indices, low))
                result[i + span] = self.builder.shuffle_vector(*pair, ir.Constant(indices, high))
        return result


@intrinsic
def address(typingctx, array, index):
    """Pointer to the element `index` (in elements, C order) of `array`'s memory."""

    def codegen(context, builder, signature, args):
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        return builder.gep(data, [args[1]])

    return types.CPointer(array.dtype)(array, types.int64), codegen


@intrinsic
def advance(typingctx, pointer, count):
    """pointer + count elements."""
    return pointer(pointer, types.int64), lambda context, builder, signature, args: builder.gep(
        args[0], [args[1]]
    )


@intrinsic
def never_inline(typingctx):
    """Keep the kernel that calls this out of line: its callers need not compile it again in their own."""

    def codegen(context, builder, signature, args):
        builder.function.attributes.add("noinline")
        return context.get_dummy_value()

    return types.void(), codegen


@intrinsic
def align(typingctx, pointer):
    """The first whole vector at or after `pointer`: at most one vector further on."""

    def codegen(context, builder, signature, args):
        number = builder.add(builder.ptrtoint(args[0], _I64), _I64(VECTOR_BYTES - 1))
        return builder.inttoptr(builder.and_(number, _I64(-VECTOR_BYTES)), args[0].type)

    return pointer(pointer), codegen


@intrinsic
def lanes_of(typingctx, pointer):
    """Elements in one vector of `pointer`'s type, a constant to the compiler."""
    lanes = VECTOR_BYTES * 8 // pointer.dtype.bitwidth
    return types.int64(pointer), lambda context, builder, signature, args: _I64(lanes)


def _view(context, builder, array_type, vector, start, extents):
    """An array over vector's memory from element `start` on: contiguous, holding no reference."""
    array = context.make_array(array_type)(context, builder)
    itemsize = context.get_abi_sizeof(context.get_data_type(array_type.dtype))
    strides, stride = [], _I64(itemsize)
    for extent in reversed(extents):
        strides.insert(0, stride)
        stride = builder.mul(stride, extent)
    populate_array(
        array,
        data=builder.gep(vector.data, [start]),
        shape=cgutils.pack_array(builder, extents),
        strides=cgutils.pack_array(builder, strides),
        itemsize=_I64(itemsize),
        meminfo=None,
    )
    return array._getvalue()


@intrinsic
def flat_view(typingctx, vector, start, size):
    """vector[start : start + size] without a reference to the vector: a count of them costs more than it."""

    def codegen(context, builder, signature, args):
        source = context.make_array(signature.args[0])(context, builder, args[0])
        return _view(context, builder, signature.return_type, source, args[1], [args[2]])

    return types.Array(vector.dtype, 1, "C")(vector, types.int64, types.int64), codegen


@intrinsic
def matrix_view(typingctx, vector, start, rows, cols):
    """The (rows, cols) matrix that begins at vector[start], without a reference to the vector."""

    def codegen(context, builder, signature, args):
        source = context.make_array(signature.args[0])(context, builder, args[0])
        return _view(context, builder, signature.return_type, source, args[1], list(args[2:]))

    return types.Array(vector.dtype, 2, "C")(vector, *[types.int64] * 3), codegen


@intrinsic
def atomic_add(typingctx, array, index, value):
    """array[index] += value in one indivisible step; the value before it."""

    def codegen(context, builder, signature, args):
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        return builder.atomic_rmw("add", builder.gep(data, [args[1]]), args[2], "seq_cst")

    return array.dtype(array, types.int64, array.dtype), codegen


@intrinsic
def atomic_load(typingctx, array, index):
    """array[index] as other threads have last written it."""

    def codegen(context, builder, signature, args):
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        return builder.load_atomic(builder.gep(data, [args[1]]), "seq_cst", array.dtype.bitwidth // 8)

    return array.dtype(array, types.int64), codegen


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
