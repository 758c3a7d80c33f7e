"""Leaves: kernels on raw pointers, compiled alone when a run first needs them, and called by address.

numba links a callee's code into every caller and optimises it again there: ten seconds for a training loop
with all its kernels and both element types. So each kernel is a C function of its own, and the loops know
addresses and sizes alone: one loop serves all element types and options.

A leaf is written as a factory, `define(T)`, whose body works on `T`. Three may call it: a loop, by address; a
kernel on arrays, by its name (with arrays in the place of pointers); and plain Python. No type is checked in
a call by address: FAMILIES is the one table of the signatures.

A body may use numbers, pointers, range, min, max, abs, int, float, math, scalars.py and other leaves. It is
compiled without NumPy and without SSA: a variable has one type, and one that takes a global's value no other.
"""

import ctypes

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload

from fastnn_kernels import compilation
from fastnn_kernels._jit import FAST
from fastnn_kernels._numba import LeafFunction, cgutils, config, register, target
from fastnn_kernels.machine_code import LOCK, made, stored

# p: pointer to T, I, D, w: pointers to int64, float64, int32; i: int64, d: float64, b: boolean. After > comes
# the result. The loops hold all pointers as int64 addresses.
FAMILIES = {
    # A, rows, n: in place
    "activation_forward": "pii",
    # dA that becomes dZ, Z or A, rows, n
    "activation_backward": "ppii",
    # Z or A, Y, weights, weighted, rows, n_out, n_targets, smoothing, threshold, scale, asked, costs, delta
    "cost": "pppbiiidddbpp",
    # Z, Y, weights, weighted, rows, n_out, n_targets, ceiling, costs
    "cost_clip": "pppbiiidp",
    # scalars, rates, clip, l2, plain, grads, mean, square, params, n
    "optimizer": "DDddbppppi",
    # A, first, rows, column, n, row, keep, seed, step, layer
    "dropout": "piiiiidiii",
    # rows, m, k, W, start, Z, Z_row, slope
    "product_forward": "Iiipppid",
    # rows, m, k, W, W_row, columns, start, Z, Z_row, slope
    "product_in_place": "Iiipiippid",
    # rows, m, k, W', A, A_row, dA, dA_row, slope
    "product_backward": "Iiippipid",
    # rows, at, h, k, dZ, dZ_row, G, three to prefetch
    "product_gradient": "Iiiipipppp",
    # dZ, dZ_row, rows, n, db
    "column_sum": "piiip",
    # of a layer of one output, rows, m, k, w, bias, z
    "column_forward": "Iiippp",
    # m, dz, w, n, A, A_row, dA, dA_row, slope
    "column_backward": "ippipipid",
    # rows, at, n, k, dz, g
    "column_gradient": "Iiiipp",
    # dz, rows, db
    "column_total": "pip",
    # block of W, width, rows, column, columns, first, n_in, n_out, the panels of W'
    "transpose": "piiiiiiip",
    # a, a_row, rows, cols, b, b_row
    "copy_rows": "piiipi",
    # values, indices, indptr, numbers, rows, W, W_row, columns, start, Z, Z_row, slope
    "csr_forward": "pwIIipiippid",
    # values, indices, indptr, numbers, rows, dZ, dZ_row, first, last, G
    "csr_backward": "pwIIipiiip",
    "lines_forward": "piipiipd",
    "lines_backward": "piipiippd",
    "lines_backward_quadratic": "piipiippddd",
    "lines_gradient": "piipiipb",
    "lane_sums": "pip",
    "rows_to_lines": "Iiipi",
    # source, words of 4 bytes in a row, numbers, rows, to
    "gather": "wiIiw",
    # values, n
    "total": "pi>d",
    "norm": "pi>d",
    # values, numbers, rows
    "weigh": "pIi>d",
    # source, n, target
    "add": "pip",
    # table, panels, the user's vector, the fit's, whether back to the user's
    "panel_copy": "Iippb",
    # rows, at, n, k, to, to_row
    "strip": "Iiiipi",
    # Products of bfloat16: see pair_tiles.py and pair_moves.py.
    "pairs_forward": "wiiiwppd",
    "pairs_backward": "wiiiwppd",
    "pairs_gradient": "wiiiwp",
    "pairs_of_rows": "Iiiiwiwiwi",
    "pairs_of_weights": "piwwi",
    "tile_mode": "",
    # panels, their number, first, groups, rows, inner, dV, W, E, dW, dE
    "stage_backward": "Iiiiiippppp",
    # panels, their number, first, groups, rows, inner, W, E, V
    "stage_forward": "Iiiiiippp",
    # stage, rates, clip, worker, workers
    "stage": "iidii",
    # Networks in lanes: see fleet_tiles.py, fleet_moves.py and fleet_updates.py.
    "fleet_product": "piipiipiiiiipi",
    # addresses, rows, n, to
    "fleet_gather": "Iiip",
    # addresses, members, n, active, diverged, source
    "fleet_store": "IiiIIp",
    # addresses, weighted, each lane's count, rows, to, totals
    "fleet_weights": "IbIipD",
    # costs, dZ, weights, each lane's reciprocal of their total, rows, costs of a row, n, sums
    "fleet_told": "pppDiiiD",
    # values, n, sums of squares
    "fleet_norm": "piD",
    # rates, from one kind of them to the next, betas, the same, l2, clip, going, to
    "fleet_settings": "DiDiDDDp",
    # settings, plain, grads, mean, square, params, n
    "fleet_update": "pbppppi",
    # A, first, rows, n, keep, seeds, steps, layer
    "fleet_dropout": "piiiDIIi",
    # seeds, epochs, counts, orders, numbers of a row, first, last, orders of each
    "shuffles": "IIIIiiii",
    # run, worker
    "train": "ii>i",
    # run, first, last
    "predict": "iii>i",
    # run, predict, x, x_bytes, out, rows, memory
    "evaluate": "iiiiiii",
}
LEAVES = {}  # all of them, by name
_PLAIN = {"i": types.int64, "d": types.float64, "b": types.boolean}
_POINTERS = {"I": types.int64, "D": types.float64, "w": types.int32}
_TARGET = target()  # asking for it takes 0.3 ms, and each leaf looks itself up by it
_C = {"i": ctypes.c_int64, "d": ctypes.c_double, "b": ctypes.c_bool, "": None}


def _parts(family):
    arguments, _, result = FAMILIES[family].partition(">")
    return arguments, result


def signature_of(family, element):
    """numba's types of the arguments and of the result of a family's leaves for one element type."""
    arguments, result = _parts(family)
    kinds = tuple(_PLAIN.get(c) or types.CPointer(_POINTERS.get(c, element)) for c in arguments)
    return kinds, _PLAIN[result] if result else types.void


def caller(family):
    """For compiled code: call(address, arguments ...) of a leaf of this family, with pointers as int64."""
    letters, result = _parts(family)
    returned = _PLAIN[result] if result else types.void
    wanted = [_PLAIN.get(c, types.int64) for c in letters]

    def call(address, *values):
        """Known to numba alone."""

    def typed(kinds):
        if len(kinds) == 1 + len(letters):
            return returned(types.int64, *map(types.unliteral, kinds[1:]))

    def lower(context, builder, signature, args):
        given = []
        for letter, kind, to, value in zip(letters, signature.args[1:], wanted, args[1:], strict=True):
            value = context.get_value_as_argument(builder, to, context.cast(builder, value, kind, to))
            given.append(builder.inttoptr(value, ir.IntType(8).as_pointer()) if letter in "pIDw" else value)
        back = context.get_argument_type(returned) if result else ir.VoidType()
        function = ir.FunctionType(back, [x.type for x in given])
        value = builder.call(builder.inttoptr(args[0], function.as_pointer()), given)
        return value if result else context.get_dummy_value()

    register(call, typed, lower)
    return call


class Leaf:
    """One kernel on pointers; `define(T)` gives its body for the element type T."""

    def __init__(self, define, family, fastmath, name, seconds, on_arrays, unit):
        self.define, self.family, self.fastmath, self.unit = define, family, fastmath, unit
        self._on_arrays = on_arrays or define
        both = "p" in FAMILIES[family] and not family.startswith("pairs")
        self.types = ("float32", "float64") if both else ("float32",)  # one serves all that know none
        self.__name__, self.__doc__ = name or define.__name__, define.__doc__
        self.name = f"{define.__module__.rpartition('.')[2]}.{self.__name__}"
        self.seconds, self._addresses, self._functions = seconds, {}, {}
        LEAVES[self.__name__] = self
        options = {"fastmath": set(fastmath), "error_model": "numpy"}
        overload(self, jit_options=options, strict=False)(self._choose)

    def _choose(self, *arguments):
        """The body for the element type of the first pointer to floats, or array of floats."""
        for argument in arguments:
            element = getattr(argument, "dtype", None)
            if element in (types.float32, types.float64):
                body = self._on_arrays(np.float32 if element == types.float32 else np.float64)
                # numba tells functions apart by this and a number of the process: what one factory makes,
                # relu and leaky_relu, is loaded from the disk with numbers of other processes.
                body.__qualname__ = f"{self.name}.{element}"
                return body
        return None

    def __call__(self, *arguments):
        """From Python, with C-contiguous arrays for pointers; nothing is checked."""
        dtype = next(x.dtype for x in arguments if isinstance(x, np.ndarray) and x.dtype.kind == "f")
        if not config.DISABLE_JIT:
            given = (x.ctypes.data if isinstance(x, np.ndarray) else x for x in arguments)
            return self.function(dtype)(*given)
        with np.errstate(all="ignore"):  # compiled code does not warn either
            return self._on_arrays(dtype.type)(*arguments)

    def compile(self, dtype):
        """numba's C function for this element type."""
        options = {"fastmath": set(self.fastmath), "error_model": "numpy", "_nrt": False}
        element = numba.from_dtype(np.dtype(dtype))
        signature = signature_of(self.family, element)
        function = LeafFunction(self.define(np.dtype(dtype).type), signature, options)
        function.compile()
        return function

    def _entry(self, dtype):
        """Name and key of its machine code on the disk."""
        about = self.family, FAMILIES[self.family], sorted(self.fastmath), _TARGET
        return f"{self.name}.{dtype}", (self.name, str(dtype), *about)

    def is_ready(self, dtype):
        """Whether its machine code is loaded, from the disk if it is there."""
        dtype = np.dtype(dtype)
        with LOCK:
            if dtype not in self._addresses:
                found = stored(*self._entry(dtype))
                if found is not None:
                    self._addresses[dtype] = found
            return dtype in self._addresses

    def address(self, dtype=np.float32):
        """Where its machine code for this element type is: loaded from the disk, or compiled now."""
        dtype = np.dtype(dtype)
        with LOCK:
            if not self.is_ready(dtype):
                self._addresses[dtype] = made(*self._entry(dtype), lambda: self.compile(dtype))
            return self._addresses[dtype]

    def function(self, dtype=np.float32):
        """For Python: takes addresses and numbers, and lets go of the GIL."""
        dtype = np.dtype(dtype)
        if dtype not in self._functions:
            letters, result = _parts(self.family)
            kind = ctypes.CFUNCTYPE(_C[result], *(_C.get(c, ctypes.c_int64) for c in letters))
            self._functions[dtype] = kind(self.address(dtype))
        return self._functions[dtype]


def leaf(family, fastmath=FAST, name="", seconds=0.15, on_arrays=None, unit=None):
    """The leaf of a family that the decorated factory defines; it takes about so many seconds to compile.

    on_arrays: the factory for kernels on arrays and for Python, where the other's body wants pointers; unit:
    what of simd.BFLOAT16_UNITS a CPU must have for it.
    """
    return lambda define: Leaf(define, family, fastmath, name, seconds, on_arrays, unit)


def prepare(wanted):
    """Load or compile [(leaf, dtype), ...], and say so before if that takes long; dtype None: any."""
    wanted = dict.fromkeys((leaf, np.dtype(dtype or np.float32)) for leaf, dtype in wanted)
    missing = [(leaf, dtype) for leaf, dtype in wanted if not leaf.is_ready(dtype)]
    compilation.announce(len(missing), sum(leaf.seconds for leaf, _ in missing))
    for leaf, dtype in missing:
        leaf.address(dtype)


def by_code(leaves, otherwise):
    """For kernels: f(code, arguments ...) calls the leaf of this code in [(code, leaf), ...].

    A leaf may be None, which does nothing. `otherwise` is for any other code. One switch: a chain of ifs,
    each in a function, would be compiled anew at every level, eight seconds for thirteen activations.
    """

    def codegen(context, builder, signature, args):
        kinds = signature.args[1].types
        given = cgutils.unpack_tuple(builder, args[1], len(kinds))
        end, other = builder.append_basic_block("end"), builder.append_basic_block("otherwise")
        switch = builder.switch(args[0], other)
        blocks = [(builder.append_basic_block(f"case.{code}"), code, called) for code, called in leaves]
        for block, code, called in [*blocks, (other, None, otherwise)]:
            if code is not None:
                switch.add_case(ir.IntType(64)(code), block)
            builder.position_at_end(block)
            if called is not None:
                context.compile_internal(builder, called._choose(*kinds), types.void(*kinds), given)
            builder.branch(end)
        builder.position_at_end(end)
        return context.get_dummy_value()

    @intrinsic
    def choose(typingctx, code, *arguments):
        plain = types.StarArgTuple([types.unliteral(x) for x in arguments])
        return types.void(types.int64, plain), codegen

    if config.DISABLE_JIT:
        return lambda code, *arguments: (dict(leaves).get(code, otherwise) or (lambda *x: None))(*arguments)
    return choose
