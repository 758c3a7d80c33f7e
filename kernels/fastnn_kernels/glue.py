"""Functions that are compiled into the module of their caller: the parts of loops, and those of one element.

numba compiles each function that another one calls alone, down to machine code of its own, and then again in
its caller: of four seconds for the thirty functions of the training loop more than half. Here a function's
code goes straight into the module that is being compiled, which is optimised once. So the type of what a
function returns must be known before.
"""

import weakref

from numba import types

from fastnn_kernels._numba import compile_into, register, unliteral
from fastnn_kernels.compilation import raise_heard

PAIR = types.UniTuple(types.int64, 2)
_COMPILED = weakref.WeakKeyDictionary()  # of each module, the functions that are in it


def known_to_numba(function, returns, choose=None, **options):
    """Let compiled code call `function`, with its caller's options but for those given.

    returns, choose: numba's type of the result, and the body to compile, for numba's types of the arguments;
    a body of None is for types that the function does not take.
    """
    choose = choose or (lambda *kinds: function)

    def typed(kinds):
        kinds = [unliteral(kind) for kind in kinds]
        return None if choose(*kinds) is None else returns(*kinds)(*kinds)

    def lower(context, builder, signature, arguments):
        known = _COMPILED.setdefault(context.active_code_library, {})
        called = choose(*signature.args), signature.args
        if called not in known:
            raise_heard()
            known[called] = compile_into(context, called[0], signature, **options)
        return context.call_internal(builder, known[called], signature, arguments)

    register(function, typed, lower)


def glue(returns=types.void):
    """For a function that sees records and calls leaves; `returns` is numba's type of its result."""

    def decorate(function):
        known_to_numba(function, lambda *kinds: returns)
        return function

    return decorate


def inlined(returns, fastmath):
    """For a function of the elements of a loop, inlined by order: a call left would keep it from the vectors.

    returns: numba's type of its result for those of its arguments.
    """

    def decorate(function):
        known_to_numba(function, returns, fastmath=fastmath, inlined=True)
        return function

    return decorate
