"""What leaves ask of one number beyond operators; numba's own come with all of NumPy behind them."""

import numpy as np

from fastnn_kernels._numba import register


def view(x, kind):
    """The bits of a number as one of another type of its size."""
    return x.view(kind)


def _lower_view(context, builder, signature, arguments):
    return builder.bitcast(arguments[0], context.get_value_type(signature.return_type))


def sqrt(x):
    """The square root of a float."""
    return np.sqrt(x)


def _lower_sqrt(context, builder, signature, arguments):
    return builder.call(builder.module.declare_intrinsic("llvm.sqrt", [arguments[0].type]), arguments)


register(view, lambda kinds: kinds[1].dtype(*kinds), _lower_view)
register(sqrt, lambda kinds: kinds[0](*kinds), _lower_sqrt)
