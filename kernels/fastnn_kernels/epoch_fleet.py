"""The training loop with networks in lanes: many small networks of one shape, a group of L in each vector.

A worker takes a group, brings its parameters into lanes, carries it through all steps of a slice, puts them
back, and takes the next: nobody waits for anybody, and no lane knows of the others. Rows, weights of rows,
rates and seeds are each lane's own; a lane that has come to its end, or has no rows in a step, is computed
with the others and keeps what it has.
"""

import math

from numba import types

from fastnn_kernels import leaves
from fastnn_kernels.between import activation_backward, activation_forward, copy_rows, cost, cost_clip
from fastnn_kernels.glue import glue
from fastnn_kernels.modes import flush_subnormals, restore
from fastnn_kernels.pointers import atomic_add, integers, reals
from fastnn_kernels.records import SAVE_A, SAVE_Z, fleet_layer_of, fleet_of

product, gather, store, weigh = map(
    leaves.caller, ("fleet_product", "fleet_gather", "fleet_store", "fleet_weights")
)
told, norm = map(leaves.caller, ("fleet_told", "fleet_norm"))
collect, update, dropout, rows_to_lines = map(
    leaves.caller, ("fleet_settings", "fleet_update", "fleet_dropout", "rows_to_lines")
)


@glue(types.int64)
def begin_step(run, first, step, here):
    """Which of its rows each lane takes, and whether it goes on; the largest number of rows, or 0."""
    counts, firsts, going = integers(here + run.counts), integers(here + run.firsts), reals(here + run.going)
    active, rows = integers(run.active), 0
    for lane in range(run.lanes):
        span = integers(run.spans + 8 * ((first + lane) * run.span_row + 2 * step))
        firsts[lane], counts[lane] = span[0], span[1] - span[0]
        going[lane] = 0.0
        if active[first + lane] != 0 and counts[lane] > 0:
            going[lane], rows = 1.0, max(rows, counts[lane])
    return rows


@glue()
def find_rows(run, first, rows, here):
    """The addresses (rows, L) of all lanes' inputs, targets and weights; the last again of who has fewer."""
    counts, firsts, orders = integers(here + run.counts), integers(here + run.firsts), integers(run.orders)
    x_firsts, y_firsts = integers(run.x_firsts + 8 * first), integers(run.y_firsts + 8 * first)
    x_at, y_at, lanes = integers(here + run.x_at), integers(here + run.y_at), run.lanes
    x_size, y_size = run.itemsize * fleet_layer_of(run.layers, 0).n_in, run.itemsize * run.n_targets
    for lane in range(lanes):
        order, own = integers(orders[first + lane] + 8 * firsts[lane]), min(rows, counts[lane])
        x, y = run.x + x_firsts[lane] * x_size, run.y + y_firsts[lane] * y_size
        for r in range(own):
            x_at[r * lanes + lane], y_at[r * lanes + lane] = x + order[r] * x_size, y + order[r] * y_size
        last = order[own - 1] if own > 0 else 0
        for r in range(own, rows):
            x_at[r * lanes + lane], y_at[r * lanes + lane] = x + last * x_size, y + last * y_size
        if run.weights != 0:
            weights, at = run.weights + integers(run.weight_firsts)[first + lane] * run.itemsize, here
            for r in range(rows):
                number = order[r] if r < own else last
                integers(at + run.weights_at)[r * lanes + lane] = weights + number * run.itemsize


@glue()
def gather_rows(run, start, rows, here):
    """The inputs (rows, n_in, L) and targets (rows, n_targets, L) of some rows of the batch."""
    lanes, layer, before = run.lanes, fleet_layer_of(run.layers, 0), 8 * start * run.lanes
    n, table, to = layer.n_in, here + run.x_at + before, here + layer.inputs
    if run.by_rows != 0:
        for r in range(rows):
            rows_to_lines(
                run.to_lines, table + 8 * r * lanes, lanes, n, to + r * n * lanes * run.itemsize, lanes
            )  # fmt: skip
    else:
        gather(run.gather, table, rows, n, to)
    gather(run.gather, here + run.y_at + before, rows, run.n_targets, here + run.targets)


@glue()
def forward_rows(run, first, start, rows, params, here):
    """All layers' outputs, of the last one Z."""
    lanes = run.lanes
    for index in range(run.n_layers):
        layer = fleet_layer_of(run.layers, index)
        n_in, n_out, z = layer.n_in * lanes, layer.n_out * lanes, here + layer.outputs
        product(
            run.product, here + layer.inputs, n_in, lanes, params + layer.weights, n_out, lanes,
            params + layer.biases, 0, lanes, rows, layer.n_in, layer.n_out, z, n_out,
        )  # fmt: skip
        if index < run.n_layers - 1:
            if layer.save == SAVE_Z:
                copy_rows(run.copy_rows, z, n_out, rows, n_out, here + layer.saved, n_out)
            if layer.activate != 0:
                activation_forward(layer.activate, z, rows, n_out)
            if layer.save == SAVE_A:
                copy_rows(run.copy_rows, z, n_out, rows, n_out, here + layer.saved, n_out)
            if layer.drops != 0:
                drop(run, layer, index, first, start, rows, z)


@glue()
def drop(run, layer, index, first, start, rows, a):
    """Dropout of a layer's outputs, or of their deltas."""
    keeps = run.keeps + 8 * (index * run.padded + first)
    dropout(
        run.dropout, a, start, rows, layer.n_out, keeps, run.seeds + 8 * first, run.steps + 8 * first,
        index,
    )  # fmt: skip


@glue()
def cost_rows(run, start, rows, here):
    """The sums of the rows' costs, and dZ of the last layer."""
    top = fleet_layer_of(run.layers, run.n_layers - 1)
    n, a, d, saved = top.n_out * run.lanes, here + top.outputs, here + top.deltas, here + top.saved
    y, costs, height, width, n_targets = here + run.targets, here + run.costs, rows * n, 1, 1
    if top.save == SAVE_Z:
        copy_rows(run.copy_rows, a, n, rows, n, saved, n)
    if top.activate != 0:
        activation_forward(top.activate, a, rows, n)
    if run.whole_rows != 0:  # else each output is a row by itself
        height, width, n_targets = rows, top.n_out, run.n_targets
    cost(
        run.cost, a, y, a, False, height, width, n_targets, run.smoothing, run.threshold, 1.0, True, costs, d
    )  # fmt: skip
    if run.clip_cost != 0:
        cost_clip(
            run.clip_cost, a, y, a, False, rows * run.costs_of_row * run.lanes, 1, 1, run.ceiling, costs
        )  # fmt: skip
    weights = here + run.row_weights + start * run.lanes * run.itemsize
    told(run.told, costs, d, weights, here + run.inverse, rows, run.costs_of_row, top.n_out, here + run.sums)
    if top.derive != 0:
        activation_backward(top.derive, d, saved, rows, n)


@glue()
def backward_rows(run, first, start, rows, params, here):
    """The gradient of all layers over some rows, added to that of the rows before."""
    lanes = run.lanes
    for index in range(run.n_layers - 1, -1, -1):
        layer = fleet_layer_of(run.layers, index)
        n_in, n_out, d = layer.n_in * lanes, layer.n_out * lanes, here + layer.deltas
        weights, biases = here + run.grads + layer.weights, here + run.grads + layer.biases
        if start == 0:
            w, b, down, along = here + run.zeros, here + run.zeros, 0, 0
        else:
            w, b, down, along = weights, biases, n_out, lanes
        product(
            run.product, here + layer.inputs, lanes, n_in, d, n_out, lanes, w, down, along,
            layer.n_in, rows, layer.n_out, weights, n_out,
        )  # fmt: skip
        product(
            run.product, here + run.ones, 0, 0, d, n_out, lanes, b, 0, along,
            1, rows, layer.n_out, biases, n_out,
        )  # fmt: skip
        if index > 0:
            below = fleet_layer_of(run.layers, index - 1)
            to = here + below.deltas
            product(
                run.product, d, n_out, lanes, params + layer.weights, lanes, n_out,
                here + run.zeros, 0, 0, rows, layer.n_out, layer.n_in, to, n_in,
            )  # fmt: skip
            if below.drops != 0:
                drop(run, below, index - 1, first, start, rows, to)
            if below.derive != 0:
                activation_backward(below.derive, to, here + below.saved, rows, n_in)


@glue()
def finish_costs(run, first, step, here):
    """Tell each lane's mean cost; a lane whose cost is not finite goes on no more."""
    sums, totals, going = reals(here + run.sums), reals(here + run.totals), reals(here + run.going)
    costs = reals(run.costs_told + 16 * (step * run.told_row + first))
    active, diverged = integers(run.active + 8 * first), integers(run.diverged + 8 * first)
    for lane in range(run.lanes):
        costs[2 * lane], costs[2 * lane + 1] = math.nan, 0.0
        if going[lane] != 0:
            costs[2 * lane] = sums[lane] / totals[lane]
            if not math.isfinite(costs[2 * lane]):
                active[lane], going[lane], diverged[lane] = 0, 0.0, 1


@glue()
def lane_factors(run, first, step, here):
    """Each lane's l2, penalty told, and factor of the gradient."""
    l2, clip, totals = reals(run.l2 + 8 * first), reals(run.clip + 8 * first), reals(here + run.totals)
    squares, clips, penalties = (
        reals(here + run.squares),
        reals(here + run.clips),
        reals(here + run.penalties),
    )
    costs, lanes = reals(run.costs_told + 16 * (step * run.told_row + first)), run.lanes
    for lane in range(lanes):
        squares[lane], clips[lane] = 0.0, 1.0
        penalties[lane] = l2[lane] / totals[lane] if run.l2_by_batch != 0 else l2[lane]
    if run.penalised != 0:
        params = here + run.params
        for index in range(run.n_layers):
            layer = fleet_layer_of(run.layers, index)
            norm(run.norm, params + layer.weights, layer.n_in * layer.n_out, here + run.squares)
        for lane in range(lanes):
            costs[2 * lane + 1] = 0.5 * penalties[lane] * squares[lane] if penalties[lane] != 0 else 0.0
            squares[lane] = 0.0
    if run.clipped != 0:
        norm(run.norm, here + run.grads, run.n_parameters, here + run.squares)
        for lane in range(lanes):
            clips[lane] = min(1.0, clip[lane] / max(math.sqrt(squares[lane]), 1e-300))


@glue()
def update_group(run, first, step, here):
    """The optimizer's step of all lanes that go on."""
    group = first // run.lanes * run.group_bytes
    rates = run.rates + 8 * (3 * step * run.told_row + first)
    collect(
        run.collect, rates, run.told_row, run.betas + 8 * first, run.padded, here + run.penalties,
        here + run.clips, here + run.going, here + run.settings,
    )  # fmt: skip
    for index in range(run.n_layers):
        layer = fleet_layer_of(run.layers, index)
        for plain in range(2):
            at = layer.weights if plain == 0 else layer.biases
            update(
                run.update, here + run.settings, plain != 0, here + run.grads + at, run.mean + group + at,
                run.square + group + at, here + run.params + at,
                layer.n_out * (layer.n_in if plain == 0 else 1),
            )  # fmt: skip
    steps, going = integers(run.steps + 8 * first), reals(here + run.going)
    for lane in range(run.lanes):
        steps[lane] += 1 if going[lane] != 0 else 0


@glue()
def train_step(run, first, step, here):
    """One step of a group, if any of its lanes has rows for it."""
    costs = reals(run.costs_told + 16 * (step * run.told_row + first))
    rows = begin_step(run, first, step, here)
    if rows == 0:
        for lane in range(run.lanes):
            costs[2 * lane], costs[2 * lane + 1] = math.nan, 0.0
        return
    find_rows(run, first, rows, here)
    weigh(
        run.weigh, here + run.weights_at, run.weights != 0, here + run.counts, rows,
        here + run.row_weights, here + run.totals,
    )  # fmt: skip
    totals, inverse, sums = reals(here + run.totals), reals(here + run.inverse), reals(here + run.sums)
    for lane in range(run.lanes):
        totals[lane] = totals[lane] if totals[lane] > 0 else 1.0
        inverse[lane], sums[lane] = 1.0 / totals[lane], 0.0
    params = here + run.params
    for start in range(0, rows, run.chunk):
        some = min(run.chunk, rows - start)
        gather_rows(run, start, some, here)
        forward_rows(run, first, start, some, params, here)
        cost_rows(run, start, some, here)
        backward_rows(run, first, start, some, params, here)
    finish_costs(run, first, step, here)
    lane_factors(run, first, step, here)
    update_group(run, first, step, here)


@glue()
def train_group(run, first, here):
    """All steps of a group."""
    vectors, params = run.vectors + 8 * first, here + run.params
    gather(run.gather, vectors, 1, run.n_parameters, params)
    for step in range(run.first_step, run.last_step):
        train_step(run, first, step, here)
    members, active, diverged = run.n_members - first, run.active + 8 * first, run.diverged + 8 * first
    store(run.store, vectors, members, run.n_parameters, active, diverged, params)


@leaves.leaf("train", seconds=0.6)
def train_fleet(T):
    """This worker's part of the slice that the record at `address` describes, a group at a time."""

    def train_fleet(address, worker):
        mode, run = flush_subnormals(), fleet_of(address, 0)
        taken, here = integers(run.taken), run.arena + worker * run.arena_bytes
        group = atomic_add(taken, 0, 1)
        while group < run.n_groups:
            train_group(run, group * run.lanes, here)
            group = atomic_add(taken, 0, 1)
        restore(mode)
        return 0

    return train_fleet
