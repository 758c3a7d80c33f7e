"""One call of a compiled network, with records and memory of its own: any number of threads may be in it."""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from fastnn_kernels import leaves
from fastnn_kernels.glue import glue
from fastnn_kernels.pointers import integers
from fastnn_kernels.records import LAYER, RUN, layer_of, run_of

CHUNK = 16  # rows of a matrix that go through all layers at a time
ALIGNED = 64  # bytes
RUN_BYTES = -(-RUN.itemsize // ALIGNED) * ALIGNED
RUN_WORDS, LAYER_WORDS, LAYER_BYTES = RUN.itemsize // 8, LAYER.itemsize // 8, LAYER.itemsize

predict = leaves.caller("predict")


def memory_size(layers, itemsize):
    """Elements of memory that `evaluate` needs for the layers of a table of records.

    The first is for any call, the second for each of its rows, of which no more than CHUNK count.
    """
    fixed = ALIGNED * (2 + len(layers)) + RUN_BYTES + LAYER_BYTES * len(layers)
    row = 8 * (len(layers) + 1) + itemsize * int(layers["ld_out"].sum())
    return fixed // itemsize, row // itemsize


@glue()
def copy_words(source, words, to):
    for i in range(words):
        integers(to)[i] = integers(source)[i]


@leaves.leaf("evaluate", seconds=0.3)
def evaluate(T):
    """The outputs of `rows` rows at x, x_bytes apart, into `out`, by the record at `like`."""

    def evaluate(like, loop, x, x_bytes, out, rows, memory):
        at = memory + (-memory) % ALIGNED
        run, n_layers = run_of(at, 0), run_of(like, 0).n_layers
        copy_words(like, RUN_WORDS, at)
        layers = at + RUN_BYTES
        copy_words(run.layers, LAYER_WORDS * n_layers, layers)
        chunk = min(CHUNK, rows)
        words = layers + LAYER_BYTES * n_layers
        outputs = words + 8 * chunk * (n_layers + 1)
        run.layers, run.rows, run.x_bytes = layers, words, x_bytes
        for index in range(n_layers):
            layer = layer_of(layers, index)
            outputs += (-outputs) % ALIGNED
            layer.rows, layer.outputs = words, outputs
            words += 8 * chunk
            for i in range(chunk):
                integers(words)[i] = outputs + i * layer.ld_out * run.itemsize
            outputs += chunk * layer.ld_out * run.itemsize
        row = layer_of(layers, n_layers - 1).n_out * run.itemsize
        for start in range(0, rows, CHUNK):
            run.x, run.y = x + start * x_bytes, out + start * row
            predict(loop, at, 0, min(CHUNK, rows - start))

    return evaluate


def evaluator(record, loop):
    """For compiled code: call(x, x_bytes, out, rows, memory) of `evaluate`, with arrays that outlive it.

    What calls it holds these two addresses, which in another process would lead anywhere: numba is told so,
    and caches none of its callers.
    """
    addresses = evaluate.address(), record, loop

    @intrinsic
    def call(typingctx, x, x_bytes, out, rows, memory):
        kinds = x, types.int64, out, types.int64, memory

        def codegen(context, builder, signature, args):
            word = context.get_value_type(types.int64)

            def known(number):
                place = context.add_dynamic_addr(builder, number, info="what fastnn's networks read")
                return builder.ptrtoint(place, word)

            def start(kind, array):
                return builder.ptrtoint(context.make_array(kind)(context, builder, array).data, word)

            called, *given = map(known, addresses)
            given += [start(x, args[0]), args[1], start(out, args[2]), args[3], start(memory, args[4])]
            kind = ir.FunctionType(ir.VoidType(), [word] * len(given))
            builder.call(builder.inttoptr(called, kind.as_pointer()), given)
            return context.get_dummy_value()

        return types.void(*kinds), codegen

    return call
