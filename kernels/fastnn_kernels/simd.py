"""The emitter of vector code, and the pointers and views of arrays that kernels work on.

Everything here trusts its caller completely: the pointers are raw, nothing is checked.
"""

from llvmlite import binding, ir
from numba import types
from numba.extending import intrinsic

from fastnn_kernels._numba import cgutils, config, cpu_target

_I1, _I32, _I64 = ir.IntType(1), ir.IntType(32), ir.IntType(64)


_TRIPLE, _CPU, _FEATURES = cpu_target.target_context.codegen().magic_tuple()
if config.CPU_NAME and not config.CPU_FEATURES:
    _FEATURES = ""  # numba would keep this machine's features under the name of another


def _vector_bytes():
    """Ask the compiler: which registers does it take for the sum of two 512-bit vectors?"""
    target = binding.Target.from_triple(_TRIPLE)
    machine = target.create_target_machine(cpu=_CPU, features=_FEATURES, opt=2)
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
# What this CPU has to multiply bfloat16 numbers, by the compiler's names of its features.
_UNITS = {"+avx512bf16": "AVX512-BF16", "+amx-bf16": "AMX", "+bf16": "BFMMLA"}
BFLOAT16_UNITS = tuple(name for feature, name in _UNITS.items() if feature in _FEATURES.split(","))
DOTS_OF_PAIRS = "AVX512-BF16" in BFLOAT16_UNITS  # one instruction multiplies and adds up pairs of them
# Vector registers: AVX-512 and NEON have 32, AVX2 and SSE 16.
REGISTERS = 32 if VECTOR_BYTES == 64 or _TRIPLE.startswith(("aarch64", "arm64")) else 16


class _BFloat16(ir.Type):
    """LLVM's type of this name, which llvmlite does not have."""

    def _to_string(self):
        return "bfloat"


_BFLOAT = _BFloat16()


class Vectors:
    """Emits vector code for one element type; `mask` below is a vector of one bit a lane."""

    def __init__(self, builder, scalar):
        self.builder = builder
        self.size = scalar.bitwidth // 8
        self.lanes = VECTOR_BYTES // self.size
        self.element = ir.FloatType() if self.size == 4 else ir.DoubleType()
        self.vector = ir.VectorType(self.element, self.lanes)
        self.bits = ir.VectorType(_I1, self.lanes)
        self.zero = ir.Constant(self.vector, None)

    def _intrinsic(self, name, result, arguments, *values):
        name = f"llvm.{name}.v{self.lanes}f{8 * self.size}"
        if "masked" in name:
            name += ".p0"
        kind = ir.FunctionType(result, arguments)
        return self.builder.call(cgutils.get_or_insert_function(self.builder.module, kind, name), values)

    def number(self, value):
        """A float64 as an element."""
        return value if self.size == 8 else self.builder.fptrunc(value, self.element)

    def splat(self, value, vector=None):
        undefined = ir.Constant(vector or self.vector, ir.Undefined)
        zeros = ir.Constant(ir.VectorType(_I32, self.lanes), None)
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

    def fma_pairs(self, a, b, c):
        """c + a b of bfloat16 numbers in pairs, one in each half of a lane, where there are DOTS_OF_PAIRS."""
        pairs = ir.VectorType(_BFLOAT, 2 * self.lanes)
        kind = ir.FunctionType(self.vector, [self.vector, pairs, pairs])
        name = f"llvm.x86.avx512bf16.dpbf16ps.{8 * VECTOR_BYTES}"
        function = cgutils.get_or_insert_function(self.builder.module, kind, name)
        return self.builder.call(function, [c, *(self.builder.bitcast(x, pairs) for x in (a, b))])

    def two_in_bfloat16(self, high, low):
        """Two vectors in bfloat16, `low` in the first half, where there are DOTS_OF_PAIRS."""
        kind = ir.FunctionType(ir.VectorType(_BFLOAT, 2 * self.lanes), [self.vector] * 2)
        name = f"llvm.x86.avx512bf16.cvtne2ps2bf16.{8 * VECTOR_BYTES}"
        function = cgutils.get_or_insert_function(self.builder.module, kind, name)
        return self.builder.call(function, [high, low])

    def sums(self, vectors):
        """The sums of the lanes of n vectors, n a power of two <= lanes, as a vector of n; by halves."""
        b, n, span = self.builder, len(vectors), self.lanes // 2
        indices = ir.VectorType(_I32, self.lanes)
        while len(vectors) > 1:  # lanes that have bit `span` take over the second half of the vectors
            half = len(vectors) // 2
            low = [i + (self.lanes - span if i & span else 0) for i in range(self.lanes)]
            picks = [ir.Constant(indices, [i + x for i in low]) for x in (0, span)]
            pairs = zip(vectors[:half], vectors[half:], strict=True)
            vectors = [b.fadd(*(b.shuffle_vector(x, y, pick) for pick in picks)) for x, y in pairs]
            span //= 2
        (total,) = vectors
        while span:
            upper = ir.Constant(indices, [(i + span) % self.lanes for i in range(self.lanes)])
            total = b.fadd(total, b.shuffle_vector(total, total, upper))
            span //= 2
        chosen = [i * (self.lanes // n) for i in range(n)]
        return b.shuffle_vector(total, total, ir.Constant(ir.VectorType(_I32, n), chosen))

    def sum(self, vector):
        """The lanes' sum, by halves: one fixed order."""
        return self.builder.extract_element(self.sums([vector]), _I32(0))

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


@intrinsic
def flat_view(typingctx, vector, start, size):
    """vector[start : start + size] without a reference to the vector: a count of them costs more than it."""
    view = types.Array(vector.dtype, 1, "C")

    def codegen(context, builder, signature, args):
        source = context.make_array(signature.args[0])(context, builder, args[0])
        array = context.make_array(view)(context, builder)
        itemsize = _I64(context.get_abi_sizeof(context.get_data_type(view.dtype)))
        array.data = builder.gep(source.data, [args[1]])
        array.shape = cgutils.pack_array(builder, [args[2]])
        array.strides = cgutils.pack_array(builder, [itemsize])
        array.itemsize, array.nitems = itemsize, args[2]
        array.meminfo, array.parent = (ir.Constant(x.type, None) for x in (array.meminfo, array.parent))
        return array._getvalue()

    return view(vector, types.int64, types.int64), codegen


if config.DISABLE_JIT:  # kernels are Python then, and this is what they need of this file

    def flat_view(vector, start, size):
        return vector.reshape(-1)[start : start + size]
