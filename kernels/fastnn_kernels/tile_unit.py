"""Intel's AMX: eight registers of 16 rows of 64 bytes, and the sums of products of two of them.

A thread configures the tiles when it enters a compiled loop and releases them when it leaves: what is in them
would be saved at each switch of threads.
"""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from fastnn_kernels._numba import cgutils
from fastnn_kernels.leaves import leaf

_I8, _I64 = ir.IntType(8), ir.IntType(64)
TILES, TILE_ROWS, ROW_BYTES = 8, 16, 64
# The first of palettes; then from byte 16 on each tile's bytes in a row, and from byte 48 on its rows.
_CONFIGURATION = bytes([1] + [0] * 15 + [ROW_BYTES, 0] * TILES + [0] * 16 + [TILE_ROWS] * TILES + [0] * 8)


def _call(builder, name, *arguments):
    kind = ir.FunctionType(ir.VoidType(), [x.type for x in arguments])
    builder.call(cgutils.get_or_insert_function(builder.module, kind, f"llvm.x86.{name}"), arguments)


def _bytes(builder, pointer):
    return builder.bitcast(pointer, _I8.as_pointer())


def zero_tile(builder, tile):
    _call(builder, "tilezero", _I8(tile))


def load_tile(builder, tile, pointer, row):
    """row: bytes from row to row."""
    _call(builder, "tileloadd64", _I8(tile), _bytes(builder, pointer), row)


def store_tile(builder, tile, pointer, row):
    _call(builder, "tilestored64", _I8(tile), _bytes(builder, pointer), row)


def dot_tiles(builder, c, a, b):
    """C += A B, of tiles by number: A 16 rows of 32 numbers, B 16 rows of 16 pairs, C in float32."""
    _call(builder, "tdpbf16ps", _I8(c), _I8(a), _I8(b))


@intrinsic
def _configure(typingctx):
    def codegen(context, builder, signature, args):
        given = ir.Constant(ir.ArrayType(_I8, len(_CONFIGURATION)), bytearray(_CONFIGURATION))
        place = cgutils.alloca_once_value(builder, given)
        _call(builder, "ldtilecfg", _bytes(builder, place))
        return context.get_dummy_value()

    return types.void(), codegen


@intrinsic
def _release(typingctx):
    def codegen(context, builder, signature, args):
        _call(builder, "tilerelease")
        return context.get_dummy_value()

    return types.void(), codegen


@leaf("tile_mode", unit="AMX")
def configure_tiles(T):
    def configure_tiles():
        """From here on this thread may use the tiles."""
        _configure()

    return configure_tiles


@leaf("tile_mode", unit="AMX")
def release_tiles(T):
    def release_tiles():
        """This thread uses the tiles no more."""
        _release()

    return release_tiles
