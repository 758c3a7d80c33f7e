"""Register tiles: the innermost loops of the matrix products and transposes, built from LLVM vectors.

Vectors are as wide as the processor that numba compiles for has them; the last vector of a row is
masked, so that any width is read and written exactly, never an element past its end.
"""

import platform

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from fastnn_kernels._numba import cgutils
from fastnn_kernels.simd import VECTOR_BYTES, Vectors

_I64 = ir.IntType(64)

# The register tile: TILE_ROWS x TILE_VECTORS accumulators, TILE_VECTORS of B and one of A must fit the
# 32 vector registers of AVX-512 and NEON, or the 16 of AVX2.
TILE_ROWS = 8 if VECTOR_BYTES == 64 or platform.machine() in ("aarch64", "arm64") else 4
TILE_VECTORS = 3
TILE_HEIGHTS = tuple(h for h in (8, 4, 2, 1) if h <= TILE_ROWS)


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


def _define_product_tile(function, scalar, n_rows, n_vectors):
    """The body of one register tile, kept out of line: it needs all the registers that there are."""
    function.linkage = "linkonce_odr"
    function.attributes.add("noinline")
    function.attributes.add("nounwind")
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    start, start_row, started, a, a_row, a_col, b, b_row, _, k, n, c, c_row = function.args
    v = Vectors(builder, scalar)
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
def product_tile(typingctx, start, start_row, started, a, a_row, a_col, b, b_row, rows, k, n, c, c_row):
    """c[i, j] = start[i, j] + sum over p < k of a[i, p] b[p, j], for i < rows, j < n, in registers.

    `rows` is at most TILE_ROWS, `n` at most TILE_VECTORS vectors. a[i, p] is at a + i a_row + p a_col;
    rows of b, start and c are contiguous. If not `started` the sum starts from zero; `start` may be c.
    Each element is one chain of fused multiply-adds in the order of p: its value does not depend on how
    the whole product was cut into tiles.
    """

    def codegen(context, builder, signature, args):
        rows, n = args[8], args[10]
        v = Vectors(builder, signature.args[0].dtype)
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
        v = Vectors(builder, signature.args[0].dtype)

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
def sum_tile(typingctx, a, a_row, rows, n, c):
    """c[j] = sum over i < rows of a[i, j], in the order of i, for j < n <= TILE_VECTORS vectors."""

    def codegen(context, builder, signature, args):
        a, a_row, rows, n, c = args
        v = Vectors(builder, signature.args[0].dtype)

        def emit(n_vectors):
            masks = [None] * (n_vectors - 1) + [v.first(builder.sub(n, _I64((n_vectors - 1) * v.lanes)))]
            sums = [cgutils.alloca_once_value(builder, v.zero) for _ in masks]
            with cgutils.for_range(builder, rows) as loop:
                for j, mask in enumerate(masks):
                    value = v.load(v.pointer(a, (loop.index, a_row), j * v.lanes), mask)
                    builder.store(builder.fadd(builder.load(sums[j]), value), sums[j])
            for j, mask in enumerate(masks):
                v.store(builder.load(sums[j]), v.pointer(c, j * v.lanes), mask)

        used = builder.sdiv(builder.add(n, _I64(v.lanes - 1)), _I64(v.lanes))
        _switch(builder, used, {j: (lambda j=j: emit(j)) for j in range(1, TILE_VECTORS + 1)})
        return context.get_dummy_value()

    integer = types.int64
    return types.void(a, integer, integer, integer, a), codegen


@intrinsic
def copy_tile(typingctx, a, a_row, rows, n, b, b_row):
    """b[i, :n] = a[i, :n] for i < rows; n is at most TILE_VECTORS vectors."""

    def codegen(context, builder, signature, args):
        a, a_row, rows, n, b, b_row = args
        v = Vectors(builder, signature.args[0].dtype)

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
        v = Vectors(builder, signature.args[0].dtype)

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
