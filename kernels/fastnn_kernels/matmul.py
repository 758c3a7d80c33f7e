"""Matrix products C = A B, A' B and A B' on register tiles, blocked and packed where operands are large.

Contract of every product here: rows are contiguous (unit stride along the last axis, any stride between
rows), C overlaps neither A nor B, `scratch` is 1-D with at least `scratch_size(...)` elements.

Every element of C is one chain of fused multiply-adds in the order of the inner index, whatever the
sizes, the blocking or the caller's share of the rows. (Where C is one column the chain runs in vector
lanes, in an order that depends on the inner length alone.) So a product whose rows are split over
workers gives the same bits as a whole one.
"""

from numba.extending import register_jitable

from fastnn_kernels._jit import EXACT, kernel
from fastnn_kernels.simd import VECTOR_BYTES, address, advance, align, lanes_of, never_inline
from fastnn_kernels.tiles import TILE_ROWS, TILE_VECTORS, copy_tile, dot_tile, product_tile, transpose_tile

# A block of B, BLOCK_K rows of BLOCK_TILES tiles, is packed to stay in the second-level cache: 360 KiB.
BLOCK_K = 192
BLOCK_TILES = 640 // VECTOR_BYTES
# Below this size B is read in place, in columns of one tile: at 64x784x128 in float64 that reaches 97% of
# the FMA peak and packing 84%; at 2048 and above, in place halves the speed. In between it depends on how
# many rows use what is packed (128x784x512 in float64: 95% and 80%). The narrower tile of 256-bit vectors
# uses each row of B less often, so it packs sooner and keeps its column in the first-level cache; with
# 512 bits the column should stay in the second (gradients over a batch of thousands).
PACK_BYTES = 2 << 20 if VECTOR_BYTES == 64 else 512 << 10
PACK_ROWS = 256
DIRECT_K = 1024 if VECTOR_BYTES == 64 else 128


@kernel
def row_stride(A):
    """Elements from one row of `A` to the next."""
    return A.strides[0] // A.itemsize


@register_jitable
def scratch_size(m, k, n, itemsize):
    """Elements of scratch that a product of (m, k) and (k, n) may use, in any of the three forms."""
    width = TILE_VECTORS * VECTOR_BYTES // itemsize
    columns = m if n == 1 else n  # `matmul_at` computes one column as one row
    tiles = min((columns + width - 1) // width, BLOCK_TILES)
    return VECTOR_BYTES // itemsize + min(k, BLOCK_K) * (TILE_ROWS + tiles * width)


@kernel
def _transpose(a, a_row, rows, cols, b, b_row):
    lanes = lanes_of(a)
    for i in range(0, rows, lanes):
        height = min(lanes, rows - i)
        for j in range(0, cols, lanes):
            width = min(lanes, cols - j)
            transpose_tile(advance(a, i * a_row + j), a_row, height, width, advance(b, j * b_row + i), b_row)


@kernel
def _pack(a, a_row, a_col, rows, cols, to, to_row):
    """Copy a (rows, cols) block, stored with unit stride along either axis, to contiguous rows."""
    if a_col == 1:
        copy_tile(a, a_row, rows, cols, to, to_row)
    else:
        _transpose(a, a_col, cols, rows, to, to_row)


@kernel
def _tile_width(left, lanes):
    """Columns of the next tile: all it can hold, but four vectors as 2 + 2, which 3 + 1 starves."""
    most = TILE_VECTORS * lanes
    return 2 * lanes if most < left <= most + lanes else min(most, left)


@kernel
def product(start, start_row, started, a, a_row, a_col, b, b_row, b_col, m, k, n, scratch, c, c_row):
    """C = A B, or start + A B if `started`, for matrices given as pointer and strides in elements.

    A is (m, k) and B is (k, n), each with unit stride along either axis; `start` has the shape of C, or
    is one row for all with start_row = 0.
    """
    never_inline()
    lanes = lanes_of(a)
    most = TILE_VECTORS * lanes
    size = k * n * (VECTOR_BYTES // lanes)
    packed = b_col != 1 or (size >= PACK_BYTES and (m >= PACK_ROWS or size >= 2 * PACK_BYTES))
    block_k, block_n = (min(k, BLOCK_K), BLOCK_TILES * most) if packed else (min(k, DIRECT_K), most)
    a_panel = align(scratch)
    b_panel = advance(a_panel, TILE_ROWS * block_k)
    j0 = 0
    while j0 < n:
        n_block = min(block_n, n - j0) if packed else _tile_width(n - j0, lanes)
        for p0 in range(0, max(k, 1), max(block_k, 1)):
            k_block = min(block_k, k - p0)
            b_block = advance(b, p0 * b_row + j0 * b_col)
            if packed:
                j = 0
                while j < n_block:
                    cols = _tile_width(n_block - j, lanes)
                    to = advance(b_panel, j * k_block)
                    _pack(
                        advance(b_block, j * b_col),
                        b_row,
                        b_col,
                        k_block,
                        cols,
                        to,
                        -(-cols // lanes) * lanes,
                    )
                    j += cols
            i, rows = 0, TILE_ROWS
            while i < m:
                while rows > m - i:
                    rows //= 2
                a_block, a_block_row, a_block_col = advance(a, i * a_row + p0 * a_col), a_row, a_col
                if packed and n_block > 2 * most:
                    _pack(a_block, a_block_col, a_block_row, k_block, rows, a_panel, TILE_ROWS)
                    a_block, a_block_row, a_block_col = a_panel, 1, TILE_ROWS
                c_block = advance(c, i * c_row + j0)
                from_block, from_row, resumed = advance(start, i * start_row + j0), start_row, started
                if p0 > 0:
                    from_block, from_row, resumed = c_block, c_row, True
                j = 0
                while j < n_block:
                    cols = _tile_width(n_block - j, lanes)
                    tile, tile_row = advance(b_block, j), b_row
                    if packed:
                        tile, tile_row = advance(b_panel, j * k_block), -(-cols // lanes) * lanes
                    product_tile(
                        advance(from_block, j), from_row, resumed, a_block, a_block_row, a_block_col,
                        tile, tile_row, rows, k_block, cols, advance(c_block, j), c_row,
                    )  # fmt: skip
                    j += cols
                i += rows
        j0 += n_block


@kernel(fastmath=EXACT)
def dot_rows(a, a_row, x, m, k, c):
    """c[i] = sum over p of a[i, p] x[p]: the product whose result is one column, along vector lanes."""
    for i in range(0, m, 4):
        dot_tile(advance(a, i * a_row), a_row, x, min(4, m - i), k, advance(c, i))


@kernel(inline=True)
def matmul(A, B, C, scratch):
    """C = A B;  A (m, k), B (k, n), C (m, n)."""
    (m, k), n = A.shape, B.shape[1]
    a, b, c = address(A, 0), address(B, 0), address(C, 0)
    if n == 1 and row_stride(B) == 1 and row_stride(C) == 1:
        dot_rows(a, row_stride(A), b, m, k, c)
    else:
        workspace = address(scratch, 0)
        product(c, 0, False, a, row_stride(A), 1, b, row_stride(B), 1, m, k, n, workspace, c, row_stride(C))


@kernel(inline=True)
def matmul_at(A, B, C, scratch):
    """C = A' B;  A (k, m), B (k, n), C (m, n)."""
    (k, m), n = A.shape, B.shape[1]
    a, b, c, workspace = address(A, 0), address(B, 0), address(C, 0), address(scratch, 0)
    if n == 1 and row_stride(C) == 1:  # C' = B' A is one row, along the contiguous rows of A
        product(c, 0, False, b, 1, row_stride(B), a, row_stride(A), 1, 1, k, m, workspace, c, m)
    else:
        product(c, 0, False, a, 1, row_stride(A), b, row_stride(B), 1, m, k, n, workspace, c, row_stride(C))


@kernel(inline=True)
def matmul_bt(A, B, C, scratch):
    """C = A B';  A (m, k), B (n, k), C (m, n)."""
    (m, k), n = A.shape, B.shape[0]
    a, b, c = address(A, 0), address(B, 0), address(C, 0)
    if n == 1 and row_stride(C) == 1:
        dot_rows(a, row_stride(A), b, m, k, c)
    else:
        workspace = address(scratch, 0)
        product(c, 0, False, a, row_stride(A), 1, b, 1, row_stride(B), m, k, n, workspace, c, row_stride(C))


@kernel(inline=True)
def transpose(A, B):
    """B = A';  A (m, n), B (n, m), both with contiguous rows, not overlapping."""
    _transpose(address(A, 0), row_stride(A), A.shape[0], A.shape[1], address(B, 0), row_stride(B))
