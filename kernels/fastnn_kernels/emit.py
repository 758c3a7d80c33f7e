"""How emitters of vector code become functions of a kernel, and the loops that they are made of."""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from fastnn_kernels._numba import cgutils
from fastnn_kernels.simd import Vectors

_I8, _I32, _I64 = ir.IntType(8), ir.IntType(32), ir.IntType(64)


def emitted(define):
    """A function for kernels, of pointers and numbers, whose code `define(v, *arguments)` emits.

    Its element type is that of the last pointer to such, or float32; integers that are constants come as they
    are. The kernel that calls it stays out of line: its callers need not compile the code again.
    """

    @intrinsic(prefer_literal=True)
    def code(typingctx, *values):
        def codegen(context, builder, signature, args):
            kinds = signature.args[0].types
            given = cgutils.unpack_tuple(builder, args[0], len(kinds))
            pointed = [kind.dtype for kind in kinds if isinstance(kind, types.CPointer)]
            scalar = [types.float32, *(kind for kind in pointed if isinstance(kind, types.Float))][-1]
            builder.function.attributes.add("noinline")
            constants = [getattr(kind, "literal_value", x) for kind, x in zip(kinds, given, strict=True)]
            define(Vectors(builder, scalar), *constants)
            return context.get_dummy_value()

        return types.void(types.StarArgTuple(values)), codegen

    return code


def tiles_of(builder, heights, m, emit, overlap=True):
    """emit(h, i) for tiles of h rows from row i, which cover m rows; the last may `overlap` one before."""
    at = cgutils.alloca_once_value(builder, _I64(0))
    for height, next_height in zip(heights, (*heights[1:], 0), strict=True):
        names = "test", "rest", "shift", "run", "after"
        test, rest, shift, run, after = (builder.append_basic_block(f"{name}{height}") for name in names)
        last, h = builder.sub(m, _I64(height)), _I64(height)
        builder.branch(test)
        builder.position_at_end(test)
        builder.cbranch(builder.icmp_signed("<=", builder.load(at), last), run, rest)
        builder.position_at_end(rest)
        spare = _I64(next_height if overlap else height)
        left = builder.icmp_signed(">", builder.sub(m, builder.load(at)), spare)
        builder.cbranch(builder.and_(left, builder.icmp_signed("<=", h, m)), shift, after)
        builder.position_at_end(shift)
        builder.store(last, at)
        builder.branch(run)
        builder.position_at_end(run)
        i = builder.load(at)
        emit(height, i)
        builder.store(builder.add(i, h), at)
        builder.branch(test)
        builder.position_at_end(after)


def row_pointer(v, rows, index):
    """The row whose address stands at rows[index]."""
    number = v.builder.load(v.builder.gep(rows, [index]))
    return v.builder.inttoptr(number, v.element.as_pointer())


def prefetch(v, pointer):
    """Bring the cache line at `pointer` into the first-level cache, to be written soon."""
    pointer = v.builder.bitcast(pointer, _I8.as_pointer())
    kind = ir.FunctionType(ir.VoidType(), [pointer.type, _I32, _I32, _I32])
    function = cgutils.get_or_insert_function(v.builder.module, kind, "llvm.prefetch.p0")
    v.builder.call(function, [pointer, _I32(0), _I32(3), _I32(1)])


def loop_of(builder, first, last, step, values, body):
    """values = body(i, values) for i = first, first + step ... < last; the last values. All in registers."""
    before = builder.basic_block
    test, run, after = (builder.append_basic_block(f"loop.{name}") for name in ("test", "run", "after"))
    builder.branch(test)
    builder.position_at_end(test)
    index = builder.phi(_I64)
    held = [builder.phi(value.type) for value in values]
    builder.cbranch(builder.icmp_signed("<", index, last), run, after)
    builder.position_at_end(run)
    results = builder.add(index, step), *body(index, held)
    for phi, begun, result in zip((index, *held), (first, *values), results, strict=True):
        phi.add_incoming(begun, before)
        phi.add_incoming(result, builder.basic_block)
    # Unrolled by LLVM the short loops would be half of the code and of its compilation: who wants it does it.
    module = builder.module
    name = ir.MDValue(module, [module.add_metadata(["llvm.loop.unroll.disable"])], str(len(module.metadata)))
    name.operands = name, *name.operands
    builder.branch(test).set_metadata("llvm.loop", name)
    builder.position_at_end(after)
    return held


def vectors_at(v, pointer, count, mask=None):
    """`count` vectors from `pointer` on; of the last one what `mask` lets through."""
    masks = [None] * (count - 1) + [mask]
    return [v.load(v.pointer(pointer, j * v.lanes), masks[j]) for j in range(count)]


def chains(v, sums, k, unroll, operands):
    """sums[i, j] + a_i b_j for each p < k; operands(p, u) gives the elements a and the vectors b of p + u."""
    builder = v.builder

    def steps(count):
        def body(p, sums):
            for u in range(count):
                elements, vectors = operands(p, u)
                left = iter(sums)
                sums = []
                for element in elements:  # loaded one by one: there are no registers for all of them
                    a = v.splat(builder.load(element))
                    sums += [v.fma(a, b, next(left)) for b in vectors]
            return sums

        return body

    done = _I64(0)
    if unroll > 1:
        whole = builder.and_(k, _I64(-unroll))
        sums, done = loop_of(builder, done, whole, _I64(unroll), sums, steps(unroll)), whole
    return loop_of(builder, done, k, _I64(1), sums, steps(1))


def rectifier(v, slope):
    """The function x where x > 0 or NaN, else slope x; 0 if slope = 0, of -infinity too.

    `slope`, a float64, is 0 for relu and 1 for the identity: one code for three activations.
    """
    b, bits = v.builder, ir.VectorType(ir.IntType(8 * v.size), v.lanes)
    slope = v.number(slope)
    kept = b.sext(b.fcmp_ordered("!=", slope, ir.Constant(v.element, 0.0)), bits.element)
    slope, kept = v.splat(slope), v.splat(kept, bits)  # of 0 times minus infinity no bit is kept

    def activate(x):
        negative = b.fcmp_ordered("<=", x, v.zero)
        y = b.select(negative, b.fmul(x, slope), x)
        return b.select(negative, b.bitcast(b.and_(b.bitcast(y, bits), kept), v.vector), y)

    return activate


def rectifier_derivative(v, slope):
    """The function d times the rectifier's derivative where its value was a: slope for a <= 0, else 1."""
    b, slope = v.builder, v.splat(v.number(slope))

    def derive(d, a):
        return b.select(b.fcmp_ordered("<=", a, v.zero), b.fmul(d, slope), d)

    return derive


def clamped(builder, i, count):
    """The number i, or count - 1 where that is less."""
    i = _I64(i) if isinstance(i, int) else i
    return builder.select(builder.icmp_signed("<", i, count), i, builder.sub(count, _I64(1)))


def turned(v, lines):
    """The transpose of as many vectors as they have lanes."""
    span = v.lanes // 2
    while span:
        lines, span = v.swap_blocks(lines, span), span // 2
    return lines


@emitted
def turn_tile(v, a, a_row, rows, columns, b, b_row):
    """b[j, i] = a[i, j] for i < rows, j < columns of at most a vector each; the rows of b end in zeros.

    Rows past the end are the last one again: it is stored last. So one code serves whole tiles and edges.
    """
    builder = v.builder
    lines = turned(v, [v.load(v.pointer(a, (clamped(builder, i, rows), a_row))) for i in range(v.lanes)])
    mask = v.first(rows)
    for j in reversed(range(v.lanes)):
        place = v.pointer(b, (clamped(builder, j, columns), b_row))
        v.store(builder.select(mask, lines[j], v.zero), place)
