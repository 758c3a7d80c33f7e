"""The most that one core can do: what the kernels' speeds are measured against."""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from fastnn_kernels._jit import kernel
from fastnn_kernels._numba import cgutils
from fastnn_kernels.simd import Vectors, address

CHAINS = 12  # independent sums: more than latency x units of any current core, and they fit 16 registers


@intrinsic
def _chains(typingctx, values, times):
    """`times` rounds of CHAINS vector multiply-adds x = x a + b, from and to values[0 : CHAINS vectors]."""

    def codegen(context, builder, signature, args):
        values, times = args
        v = Vectors(builder, signature.args[0].dtype)
        a, b = (v.splat(ir.Constant(v.element, number)) for number in (0.5, 1.0))
        places = [v.pointer(values, i * v.lanes) for i in range(CHAINS)]
        sums = [cgutils.alloca_once_value(builder, v.load(place)) for place in places]
        with cgutils.for_range(builder, times):
            for x in sums:
                builder.store(v.fma(builder.load(x), a, b), x)
        for x, place in zip(sums, places, strict=True):
            v.store(builder.load(x), place)
        return context.get_dummy_value()

    return types.void(values, types.int64), codegen


@kernel
def multiply_adds(values, times):
    """Nothing but fused multiply-adds in registers: 2 * values.size * times operations.

    values: (CHAINS * lanes,), overwritten.
    """
    _chains(address(values, 0), times)
