"""The only file that speaks LLVM: pointers, vector tiles for products and transposes.

Everything here trusts its caller completely: the pointers are raw, nothing is checked. Vectors are as
wide as the processor that numba compiles for has them; the last vector of a row is masked, so that
any width is read and written exactly, never an element past its end.
"""

import platform

from llvmlite import binding, ir
from numba import types
from numba.core import cgutils, config
from numba.core.registry import cpu_target
from numba.extending import intrinsic

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
# The register tile: TILE_ROWS x TILE_VECTORS accumulators, TILE_VECTORS of B and one of A must fit the
# 32 vector registers of AVX-512 and NEON, or the 16 of AVX2.
TILE_ROWS = 8 if VECTOR_BYTES == 64 or platform.machine() in ("aarch64", "arm64") else 4
TILE_VECTORS = 3
TILE_HEIGHTS = tuple(h for h in (8, 4, 2, 1) if h <= TILE_ROWS)


class _Vectors:
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
            return self._intrinsic("masked.load", self.vector, kinds, pointer, _I32(self.size), mask, self.zero)
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


def _switch(builder, value, cases):
    """Emit `cases[value]()` for each key of `cases`; any other value does nothing."""
    end = builder.append_basic_block("switch.end")
    switch = builder.switch(value, end)
    for key, emit in cases.items():
        block = builder.append_basic_block(f"case.{key}")
        switch.add_case(_I64(key), block)
        builder.position_at_end(block)
        emit()
        builder.branch(end)
    builder.position_at_end(end)


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


def _define_product_tile(function, scalar, n_rows, n_vectors):
    """The body of one register tile, kept out of line: it needs all the registers that there are."""
    function.linkage = "linkonce_odr"
    function.attributes.add("noinline")
    function.attributes.add("nounwind")
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    start, start_row, started, a, a_row, a_col, b, b_row, _, k, n, c, c_row = function.args
    v = _Vectors(builder, scalar)
    cells = [(i, j) for i in range(n_rows) for j in range(n_vectors)]
    last = builder.sub(n, _I64((n_vectors - 1) * v.lanes))

    def emit(mask):
        masks = [None] * (n_vectors - 1) + [mask]
        sums = {cell: cgutils.alloca_once_value(builder, v.zero) for cell in cells}
        with builder.if_then(started):
            for i, j in cells:
                here = v.pointer(start, (start_row, i), j * v.lanes)
                builder.store(v.load(here, masks[j]), sums[i, j])
        with cgutils.for_range(builder, k) as loop:
            b_p = [v.load(v.pointer(b, (loop.index, b_row), j * v.lanes), masks[j]) for j in range(n_vectors)]
            for i in range(n_rows):
                a_ip = v.splat(builder.load(v.pointer(a, (a_row, i), (loop.index, a_col))))
                for j in range(n_vectors):
                    builder.store(v.fma(a_ip, b_p[j], builder.load(sums[i, j])), sums[i, j])
        for i, j in cells:
            v.store(builder.load(sums[i, j]), v.pointer(c, (c_row, i), j * v.lanes), masks[j])

    if n_rows < TILE_ROWS:
        emit(v.first(last))
    else:  # a masked load is no plain load to the processor: 87% of the FMA peak with it, 96% without
        with builder.if_else(builder.icmp_signed("==", last, _I64(v.lanes))) as (whole, edge):
            with whole:
                emit(None)
            with edge:
                emit(v.first(last))
    builder.ret_void()


@intrinsic
def product_tile(
    typingctx, start, start_row, started, a, a_row, a_col, b, b_row, rows, k, n, c, c_row
):
    """c[i, j] = start[i, j] + sum over p < k of a[i, p] b[p, j], for i < rows, j < n, in registers.

    `rows` is at most TILE_ROWS, `n` at most TILE_VECTORS vectors. a[i, p] is at a + i a_row + p a_col;
    rows of b, start and c are contiguous. If not `started` the sum starts from zero; `start` may be c.
    Each element is one chain of fused multiply-adds in the order of p: its value does not depend on how
    the whole product was cut into tiles.
    """

    def codegen(context, builder, signature, args):
        rows, n = args[8], args[10]
        v = _Vectors(builder, signature.args[0].dtype)
        used = builder.sdiv(builder.add(n, _I64(v.lanes - 1)), _I64(v.lanes))
        key = builder.add(builder.mul(used, _I64(TILE_ROWS + 1)), rows)
        sizes = [(i, j) for j in range(1, TILE_VECTORS + 1) for i in TILE_HEIGHTS]
        kind = ir.FunctionType(ir.VoidType(), [x.type for x in args])

        def call(i, j):
            name = f"fastnn_product_tile_{v.size}_{i}x{j}"
            function = cgutils.get_or_insert_function(builder.module, kind, name)
            if function.is_declaration:
                _define_product_tile(function, signature.args[0].dtype, i, j)
            builder.call(function, args)

        _switch(builder, key, {j * (TILE_ROWS + 1) + i: (lambda i=i, j=j: call(i, j)) for i, j in sizes})
        return context.get_dummy_value()

    integer = types.int64
    signature = types.void(
        start, integer, types.boolean, a, integer, integer, b, integer, integer, integer, integer, c, integer
    )
    return signature, codegen


@intrinsic
def dot_tile(typingctx, a, a_row, x, rows, k, c):
    """c[i] = sum over p < k of a[i, p] x[p] for i < rows <= 4; lane p % lanes sums the elements p."""

    def codegen(context, builder, signature, args):
        a, a_row, x, rows, k, c = args
        v = _Vectors(builder, signature.args[0].dtype)

        def emit(n_rows):
            sums = [cgutils.alloca_once_value(builder, v.zero) for _ in range(n_rows)]
            whole = builder.sdiv(k, _I64(v.lanes))

            def add(index, mask):
                x_p = v.load(v.pointer(x, (index, v.lanes)), mask)
                for i, total in enumerate(sums):
                    a_ip = v.load(v.pointer(a, (a_row, i), (index, v.lanes)), mask)
                    builder.store(v.fma(a_ip, x_p, builder.load(total)), total)

            with cgutils.for_range(builder, whole) as loop:
                add(loop.index, None)
            add(whole, v.first(builder.srem(k, _I64(v.lanes))))
            for i, total in enumerate(sums):
                builder.store(v.sum(builder.load(total)), builder.gep(c, [_I64(i)]))

        _switch(builder, rows, {i: (lambda i=i: emit(i)) for i in range(1, 5)})
        return context.get_dummy_value()

    integer = types.int64
    return types.void(a, integer, a, integer, integer, a), codegen


@intrinsic
def copy_tile(typingctx, a, a_row, rows, n, b, b_row):
    """b[i, :n] = a[i, :n] for i < rows; n is at most TILE_VECTORS vectors."""

    def codegen(context, builder, signature, args):
        a, a_row, rows, n, b, b_row = args
        v = _Vectors(builder, signature.args[0].dtype)

        def emit(n_vectors):
            mask = v.first(builder.sub(n, _I64((n_vectors - 1) * v.lanes)))
            with cgutils.for_range(builder, rows) as loop:
                for j in range(n_vectors):
                    last = mask if j == n_vectors - 1 else None
                    value = v.load(v.pointer(a, (loop.index, a_row), j * v.lanes), last)
                    v.store(value, v.pointer(b, (loop.index, b_row), j * v.lanes), last)

        used = builder.sdiv(builder.add(n, _I64(v.lanes - 1)), _I64(v.lanes))
        _switch(builder, used, {j: (lambda j=j: emit(j)) for j in range(1, TILE_VECTORS + 1)})
        return context.get_dummy_value()

    integer = types.int64
    return types.void(a, integer, integer, integer, b, integer), codegen


@intrinsic
def transpose_tile(typingctx, a, a_row, rows, cols, b, b_row):
    """b[j, i] = a[i, j] for i < rows, j < cols; both at most one vector."""

    def codegen(context, builder, signature, args):
        a, a_row, rows, cols, b, b_row = args
        v = _Vectors(builder, signature.args[0].dtype)

        def emit(read, write):
            lines = [v.load(v.pointer(a, (a_row, i)), read(i)) for i in range(v.lanes)]
            span = v.lanes // 2
            while span:
                lines = v.swap_blocks(lines, span)
                span //= 2
            for j, line in enumerate(lines):
                v.store(line, v.pointer(b, (b_row, j)), write(j))

        def rows_below(limit, mask):
            none = ir.Constant(v.bits, [0] * v.lanes)
            return lambda i: builder.select(builder.icmp_signed("<", _I64(i), limit), mask, none)

        full = builder.and_(*(builder.icmp_signed("==", x, _I64(v.lanes)) for x in (rows, cols)))
        with builder.if_else(full) as (whole, edge):
            with whole:
                emit(lambda i: None, lambda j: None)
            with edge:
                emit(rows_below(rows, v.first(cols)), rows_below(cols, v.first(rows)))
        return context.get_dummy_value()

    integer = types.int64
    return types.void(a, integer, integer, integer, b, integer), codegen
