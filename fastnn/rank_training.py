"""From the options of `fit` to one rank's part of a run that several ranks share."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import numpy as np

from fastnn.callbacks import Checkpoint
from fastnn.model import Model
from fastnn.rank_run import RankRun
from fastnn.ranks import Ranks
from fastnn.run import Run
from fastnn.threads import available_threads, worthwhile_threads
from fastnn.training import Checked, Options, check, prepare


def own(options: Options, rank: int) -> Options:
    """The options of one rank: checkpoints are read and written, and progress is shown, by the first."""
    if options.class_weight == "balanced":
        raise ValueError("class_weight='balanced' counts one rank's rows alone: give a dict of weights")
    if rank == 0 or not isinstance(options.callbacks, list | tuple):
        return options
    callbacks = [callback for callback in options.callbacks if not isinstance(callback, Checkpoint)]
    return replace(options, callbacks=callbacks, checkpoint=None, resume=None, progress=False)


def shared(network: Model, options: Options, checked: Checked) -> dict[str, Any]:
    """What is to be the same on all ranks, by its name."""
    about, optimizer = network.describe(), checked.optimizer
    if checked.saved is not None:  # which brings its own
        about = {name: value for name, value in about.items() if name not in ("seed", "epochs_trained")}
    else:
        about["params"] = hashlib.sha256(network.params.tobytes()).hexdigest()
    rates = optimizer.corrected(np.arange(3), 2).tolist()
    given = "epochs", "batch_size", "l2", "clip_norm", "label_smoothing", "shuffle"
    return {
        **about,
        **{name: getattr(options, name) for name in given},
        "optimizer": (type(optimizer).__name__, optimizer.betas, rates),
        "early_stopping": checked.watch.rule,
        "whether there are held-out rows": checked.samples.held_out is not None,
        "whether X comes in chunks": checked.samples.n_rows is None,
        "whether X is sparse": checked.samples.shape[-1],
    }


def prepare_on_ranks(network: Model, X: Any, y: Any, options: Options, ranks: Ranks) -> RankRun:
    """This rank's part of a run that may begin; if one rank cannot begin, no rank does."""
    with ranks.agreed():
        checked = check(network, X, y, own(options, ranks.rank), incremental=False)
    checked = replace(checked, saved=ranks.of_first(checked.saved))
    ranks.require_same(shared(network, options, checked))
    # The most rows that a rank has in a step are the same for all, so that they lay out memory in one way.
    n_rows, given = checked.samples.n_rows, options.batch_size
    together = most = given or 0
    if n_rows is not None:
        counts = ranks.all(n_rows)
        together = min(given or sum(counts), sum(counts))
        most = int(ranks.batches(counts, together)[1].max())
    threads = options.threads
    if threads == "auto":
        itemsize, sparse = network.dtype.itemsize, checked.samples.shape[-1]
        worthwhile = worthwhile_threads(network.layers, most, itemsize, sparse)
        threads = max(1, min(ranks.threads(available_threads()), worthwhile))
    settings = checked.settings(network, options, most, threads)
    with ranks.agreed():
        run = RankRun(ranks, together, network, settings, int(options.epochs), checked.samples, checked.watch)
        if checked.saved is not None:
            run.restore(checked.saved)
    return run


def begin(network: Model, X: Any, y: Any, options: Options) -> Run:
    """A run of `fit`, which other processes may have a part in."""
    ranks = None if options.comm is None else Ranks(options.comm)
    if ranks is None or ranks.size == 1:
        return prepare(network, X, y, options)
    return prepare_on_ranks(network, X, y, options, ranks)
