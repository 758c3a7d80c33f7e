"""Every name of numba's that it does not call public, in one place: what a new numba breaks, breaks here."""

from numba import types
from numba.core import cgutils, config
from numba.core.caching import FunctionCache
from numba.core.ccallback import CFunc
from numba.core.compiler import compile_internal
from numba.core.cpu_options import FastMathOptions
from numba.core.registry import cpu_target
from numba.core.serialize import dumps
from numba.core.targetconfig import ConfigStack
from numba.core.types import unliteral
from numba.core.typing.templates import AbstractTemplate, infer_global
from numba.extending import lower_builtin
from numba.np.arrayobj import populate_array


def object_code(function):
    """The machine code of a CFunc, an object file, and the symbol of its C function in it."""
    _, _, (code, _) = function._library.serialize_using_object_code()
    return code, function._wrapper_name


def assembly(function):
    """The machine code of a CFunc, as text."""
    return function._library.get_asm_str()


def register(function, typed, lower):
    """Let compiled code call `function` with any number of arguments.

    typed: numba's signature for the types of the arguments, None if they are none of its; lower(context,
    builder, signature, arguments) emits the call.
    """

    class Template(AbstractTemplate):
        key = function

        def generic(self, arguments, keywords):
            return typed(arguments)

    infer_global(function, types.Function(Template))
    lower_builtin(function, types.VarArg(types.Any))(lower)


def compile_into(context, function, signature, fastmath=None, inlined=False):
    """Compile a function into the module that is being compiled; numba's description of it.

    fastmath: what its own arithmetic may do, None as its caller's; inlined: by order.
    """
    flags, library = ConfigStack().top().copy(), context.active_code_library
    flags.no_compile = flags.no_cpython_wrapper = flags.no_cfunc_wrapper = True
    flags.forceinline = inlined
    if fastmath is not None:
        flags.fastmath = FastMathOptions(set(fastmath))
    about = signature.args, signature.return_type, flags, {}
    found = compile_internal(context.typing_context, context, library, function, *about).fndesc
    # Not needed any more once it is inlined.
    library.get_function(found.mangled_name).linkage = "linkonce_odr"
    return found


def target():
    """Triple, processor and features that numba compiles for."""
    return cpu_target.target_context.codegen().magic_tuple()


__all__ = [
    "CFunc",
    "FunctionCache",
    "assembly",
    "cgutils",
    "compile_into",
    "config",
    "cpu_target",
    "dumps",
    "object_code",
    "populate_array",
    "register",
    "target",
    "unliteral",
]
