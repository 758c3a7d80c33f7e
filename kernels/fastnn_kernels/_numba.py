"""Every name of numba's that it does not call public, in one place: what a new numba breaks, breaks here.

And numba's compiler as leaves have it, LeafFunction: without the passes, the libraries and the overloads that
functions of numbers and pointers have no use for. Of five seconds for a first fit they were more than two.
"""

import functools

from llvmlite import ir
from numba import types
from numba.core import cgutils, config, fastmathpass, imputils, typing
from numba.core.caching import FunctionCache
from numba.core.ccallback import CFunc
from numba.core.compiler import CompilerBase, compile_extra
from numba.core.compiler_machinery import PassManager, _pass_registry
from numba.core.cpu import CPUContext
from numba.core.cpu_options import FastMathOptions
from numba.core.dispatcher import Dispatcher
from numba.core.registry import CPUTarget, cpu_target
from numba.core.serialize import dumps
from numba.core.target_extension import (
    CPU,
    dispatcher_registry,
    jit_registry,
    target_override,
    target_registry,
)
from numba.core.targetconfig import ConfigStack
from numba.core.typed_passes import NativeLowering, NoPythonBackend, NopythonTypeInference
from numba.core.types import unliteral
from numba.core.typing import mathdecl, templates
from numba.core.typing.templates import AbstractTemplate, infer_global
from numba.core.untyped_passes import DeadBranchPrune, FixupArgs, TranslateByteCode
from numba.extending import lower_builtin

_TYPED, _LOWERED = templates.Registry(), imputils.Registry()  # what is known in leaves alone


class _Passes(PassManager):
    """Runs its passes and nothing between them: numba's analyses all variables again after each."""

    def run(self, state):
        for kind, _ in self.passes:
            step = _pass_registry.get(kind).pass_inst
            step.analysis = self._analysis
            step.run_pass(state)


class _Compiler(CompilerBase):
    """No SSA: a variable has one type, and one that takes a global's value takes no other."""

    def define_pipelines(self):
        _skip_caches(self.state.bc.table)
        passes = _Passes("leaf")
        front, back = (TranslateByteCode, FixupArgs, DeadBranchPrune), (NativeLowering, NoPythonBackend)
        for kind in (*front, NopythonTypeInference, *back):
            passes.add_pass(kind)
        passes.finalize()
        return [passes]


def _skip_caches(table):
    """Take out Python 3.11's places for its interpreter's caches: half of a function's code."""
    before = None
    for offset, instruction in list(table.items()):
        if instruction.opname == "CACHE" and not before.is_jump:
            before.next = instruction.next
            del table[offset]
        else:
            before = instruction


def _is_overload_of_numba(template):
    overload = getattr(template, "_overload_func", None)
    return overload is not None and (overload.__module__ or "").startswith("numba.")


class _TypingContext(typing.Context):
    def load_additional_registries(self):
        for registry in mathdecl.registry, _TYPED:
            self.install_registry(registry)

    def _insert_global(self, value, kind):
        # numba would try its overloads for texts, lists and arrays on each pair of numbers.
        if isinstance(kind, types.Function):
            kept = tuple(x for x in kind.templates if not _is_overload_of_numba(x))
            if not kept:
                return
            kind = types.Function(kept)
        super()._insert_global(value, kind)


class _TargetContext(CPUContext):
    def load_additional_registries(self):
        from numba.cpython import builtins, mathimpl, numbers, rangeobj, tupleobj  # noqa: F401
        from numba.np import arrayobj  # noqa: F401, for the fields of records

        for registry in mathimpl.registry, _LOWERED:
            self.install_registry(registry)

    def post_lowering(self, module, library):
        if self.fastmath:
            fastmathpass.rewrite_module(module, self.fastmath)

    def create_cfunc_wrapper(self, library, fndesc, env, call_helper):
        """The C function calls the compiled one and asks for no exception: leaves raise none."""
        module = self.create_module("cfunc_wrapper")
        returned, arguments = fndesc.restype, fndesc.argtypes
        kind = self.call_conv.get_function_type(returned, arguments)
        called = ir.Function(module, kind, fndesc.llvm_func_name)
        kind = ir.FunctionType(self.get_value_type(returned), list(map(self.get_value_type, arguments)))
        function = ir.Function(module, kind, fndesc.llvm_cfunc_wrapper_name)
        builder = ir.IRBuilder(function.append_basic_block())
        given = builder, called, returned, arguments, function.args
        builder.ret(self.call_conv.call_function(*given, attrs=("noinline",))[1])
        library.add_ir_module(module)


class _LeafTarget(CPUTarget):
    @functools.cached_property
    def _toplevel_target_context(self):
        return _TargetContext(self.typing_context, self._target_name)

    @functools.cached_property
    def _toplevel_typing_context(self):
        return _TypingContext()


class _Target(CPU):
    """numba's mark of what is for leaves."""


_NAME = f"fastnn {id(_Target)}"  # of its own for each copy of this file
target_registry[_NAME] = _Target


class _Dispatcher(Dispatcher):
    """Of a leaf that is called by its name in another one."""

    targetdescr = _LeafTarget(_NAME)


dispatcher_registry[_Target] = _Dispatcher
jit_registry[_Target] = lambda **options: (
    lambda function: _Dispatcher(
        function, targetoptions={**options, "nopython": True}, pipeline_class=_Compiler
    )
)


class LeafFunction(CFunc):
    """A C function of numbers and pointers that raises nothing."""

    _targetdescr = _Dispatcher.targetdescr

    def __init__(self, function, signature, options):
        super().__init__(function, signature, {}, options, _Compiler)

    def compile(self):
        with target_override(_NAME):
            super().compile()


def object_code(function):
    """The machine code of a leaf, an object file, and the symbol of its C function in it."""
    _, _, (code, _) = function._library.serialize_using_object_code()
    return code, function._wrapper_name


def assembly(function):
    """The machine code of a leaf, as text."""
    return function._library.get_asm_str()


def register(function, typed, lower, infer=infer_global, implement=lower_builtin):
    """Let compiled code call `function` with any number of arguments.

    typed: numba's signature for the types of the arguments, None if they are none of its; lower(context,
    builder, signature, arguments) emits the call.
    """

    class Template(AbstractTemplate):
        key = function

        def generic(self, arguments, keywords):
            return typed(arguments)

    infer(function, types.Function(Template))
    implement(function, types.VarArg(types.Any))(lower)


def _widest(kinds):
    """The signature of a choice among numbers of one family; None for any others."""
    kinds = [unliteral(kind) for kind in kinds]
    for family in types.Float, types.Integer:
        if all(isinstance(kind, family) and getattr(kind, "signed", True) for kind in kinds):
            kind = max(kinds, key=lambda kind: kind.bitwidth)
            return kind(*[kind] * len(kinds))


def _lower_choice(order):
    def lower(context, builder, signature, arguments):
        a, b = arguments
        whole = isinstance(signature.return_type, types.Integer)
        compare = builder.icmp_signed if whole else builder.fcmp_ordered
        return builder.select(compare(order, b, a), b, a)

    return lower


def _lower_int(context, builder, signature, arguments):
    return context.cast(builder, arguments[0], signature.args[0], signature.return_type)


# numba's own are overloads for any number of arguments: each is compiled in a twentieth of a second.
_in_leaves = _TYPED.register_global, _LOWERED.lower
register(min, _widest, _lower_choice("<"), *_in_leaves)
register(max, _widest, _lower_choice(">"), *_in_leaves)
register(int, lambda kinds: types.int64(*kinds), _lower_int, *_in_leaves)


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
    contexts = context.typing_context, context
    found = compile_extra(*contexts, function, *about, library, _Compiler).fndesc
    # Not needed any more once it is inlined.
    library.get_function(found.mangled_name).linkage = "linkonce_odr"
    return found


def target():
    """Triple, processor and features that numba compiles for."""
    return cpu_target.target_context.codegen().magic_tuple()


__all__ = [
    "FunctionCache",
    "LeafFunction",
    "assembly",
    "cgutils",
    "compile_into",
    "config",
    "cpu_target",
    "dumps",
    "object_code",
    "register",
    "target",
    "unliteral",
]
