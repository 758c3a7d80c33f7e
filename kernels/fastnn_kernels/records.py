"""What Python hands to the loops: records of sizes, options and addresses, made once a run.

The loops know no element type. A record says where things are, in bytes, and which leaves to call, by
address; 0 stands for what is not wanted. All arrays that a record points to are kept alive by its maker.
"""

import numpy as np

from fastnn_kernels.pointers import rows_of


def _fields(**kinds):
    return np.dtype([(name, kind) for kind, names in kinds.items() for name in names.split()])


# Of all workers of one run.
RUN = _fields(
    i8="""n_layers n_blocks itemsize chunk workers capacity n_targets seed
    sparse segmented whole clipped l2_by_batch tolerant piece
    layers panels blocks shares team
    x x_bytes indices indptr y y_words weights order spans n_steps first_step rates costs_told done
    rows targets row_weights costs outputs saved_outputs output_deltas
    grads block_bytes stack stack_bytes partials fit_bytes norms squares scalars
    delta_strip delta_strip_bytes slots
    gather copy_rows dropout cost clip_cost update total weigh norm add transpose strip
    unit pair_row configure release rows_to_pairs weights_to_pairs
    block_rows line lane_grads lane_bytes n_parameters
    to_lines to_rows lines_forward lines_backward lines_gradient lane_sums
    told_every same_rows part first_row stage staged""",
    f8="smoothing threshold ceiling clip l2 batch_weight",
)
# A layer; its outputs, deltas, and what is saved of them are (rows, ld_out), padded to whole vectors.
# Samples in lanes: a worker's block of its inputs is n_in + 1 lines, of its outputs, of what is saved of a
# hidden layer's, and of its deltas `height` lines; W and b stand at `weights`, their sums from byte `sums`
# on; quadratic: the leaf for a derivative c0 + c1 a + c2 a^2.
# Products of bfloat16: the inputs in tiles, `strip` words from one strip to the next, and turned; the deltas
# in tiles, and in panels.
LAYER = _fields(
    i8="""n_in n_out ld_out first_panel end_panel first_back end_back
    rows delta_rows outputs saved deltas save activate derive strips strip_rows
    tiles strip turned delta_tiles delta_strip delta_panels
    input_lines lines saved_lines delta_lines height weights sums quadratic""",
    f8="slope keep c0 c1 c2",
)
# What `save` asks for before an activation, or between it and the dropout, overwrites it.
SAVE_NOTHING, SAVE_Z, SAVE_A = range(3)
# A panel of some columns of W, or of W': they stand at byte `at` of a padded row. In the user's own W
# (in_place) rows are `row` elements apart, and all else beside the columns is not to be touched.
PANEL = _fields(i8="weights biases at row columns in_place offset forward backward csr_forward csr_backward")
# A block: some rows of one panel of W, or its biases (first = -1). Its `size` elements stand at byte `offset`
# of vectors of the parameters' kind; the panels of W' that it is a part of at `transposed`. Products of
# bfloat16: `pairs` of it, and its place in W' of pairs.
BLOCK = _fields(
    i8="layer first rows at width column columns size offset values mean square gradient transposed pairs"
)
# A learnt input stage: see input_stage.py. `panels` of the first layer, two numbers each; `values` is V; what
# belongs to W stands as in `values`, what to E one group after the other.
STAGE = _fields(
    i8="""panels n_panels parts n_parts itemsize backward forward update scalars own_rates
    values grads weights weight_grads mean square codes code_grads code_mean code_square"""
)
# Groups of a stage that are alike: `rows` rows of V each, from row `first` on, of `inner` rows of W; their
# codes begin at this element, and learn at `pace` times the rate.
PART = _fields(i8="first groups rows inner codes", f8="pace")
# Networks in lanes. What belongs to a member stands at its number in tables of `padded` entries, its running
# means in its group's vectors of `group_bytes`, its parameters at the address in the table `vectors`; what
# belongs to a worker at a byte of its arena, the parameters of the group that it has taken among it. Rates
# and costs told have `told_row` entries a step.
FLEET = _fields(
    i8="""n_layers n_groups lanes itemsize padded n_parameters n_targets chunk arena arena_bytes taken layers
    x y weights x_firsts y_firsts weight_firsts orders spans span_row rates costs_told first_step last_step
    told_row n_members vectors mean square group_bytes betas l2 clip active keeps seeds steps diverged
    clipped penalised l2_by_batch whole_rows costs_of_row by_rows
    x_at y_at weights_at firsts counts row_weights totals inverse sums squares clips penalties going settings
    targets costs zeros ones params grads
    gather store to_lines weigh cost clip_cost told norm collect update dropout copy_rows product""",
    f8="smoothing threshold ceiling",
)
# A layer; bytes of a worker's arena, and of a group's vectors.
FLEET_LAYER = _fields(i8="n_in n_out inputs outputs saved deltas weights biases save activate derive drops")

fleet_of, fleet_layer_of = map(rows_of, (FLEET, FLEET_LAYER))
run_of, layer_of, panel_of, block_of = map(rows_of, (RUN, LAYER, PANEL, BLOCK))
stage_of, part_of = map(rows_of, (STAGE, PART))
