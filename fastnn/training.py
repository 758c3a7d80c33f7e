"""The fit loop: epochs, validation, early stopping, callbacks, checkpoints, and what ends a run early."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from tqdm.auto import tqdm

from fastnn import storage
from fastnn.callbacks import Callback, Checkpoint, EarlyStopping
from fastnn.data import Array, as_features, as_targets, as_weights
from fastnn.engine import DivergenceError, Settings, Trainer
from fastnn.history import History
from fastnn.optimizers import Optimizer, as_optimizer
from fastnn_kernels.activations import ACTIVATIONS
from fastnn_kernels.costs import COSTS, cost_backward

if TYPE_CHECKING:
    from fastnn.network import Network

Chunk = tuple[Array, Array, Array]


class Run:
    """A run of training: what callbacks see, and what a checkpoint holds.

    `network`, `history`, `epoch` (epochs finished) and `epochs` (epochs wanted) are for callbacks to read.
    """

    def __init__(
        self, network: Network, settings: Settings, epochs: int, n_targets: int, weighted: bool
    ) -> None:
        self.network, self.epochs = network, epochs
        self.history = History()
        self.epoch = 0
        self.best_cost, self.best_epoch = np.inf, 0
        self.best_params: Array | None = None
        self._settings, self._shape = settings, (n_targets, weighted)
        self._start(int(np.random.SeedSequence([network.seed, network.epochs_trained]).generate_state(1)[0]))

    def _start(self, seed: int) -> None:
        """A trainer whose dropout masks follow from `seed`."""
        self._seed = seed
        network = self.network
        self._trainer = Trainer(
            network._layers, network.params, network.cost, *self._shape, seed, self._settings
        )

    @property
    def threads(self) -> int:
        """The number of threads that this run uses."""
        return self._trainer.workers

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a checkpoint, atomically: `fit(..., resume=path)` goes on as if nothing had happened."""
        arrays = {"params": self.network.params, "moments": self._trainer.moments}
        if self.best_params is not None:
            arrays["best_params"] = self.best_params
        state = {
            "epoch": self.epoch,
            "steps": self._trainer.steps_done,
            "seed": self._seed,
            "best_cost": self.best_cost,
            "best_epoch": self.best_epoch,
            "history": self.history.to_dict(),
        }
        storage.write(path, arrays, {"network": self.network.describe(), "run": state})

    def restore(self, path: str | os.PathLike[str]) -> None:
        """Go on from a checkpoint of a run of the same network with the same optimizer."""
        arrays, about = storage.read(path)
        mine, theirs = self.network.describe(), dict(about["network"])
        if "run" not in about:
            raise storage.ModelFileError(f"{os.fspath(path)!r} is a saved network, not a checkpoint of a run")
        trained = theirs.pop("epochs_trained")
        mine.pop("epochs_trained")
        if mine != theirs:
            different = [f"{k}: {theirs.get(k)!r}, not {mine[k]!r}" for k in mine if mine[k] != theirs.get(k)]
            raise ValueError(
                f"{os.fspath(path)!r} is the checkpoint of another network: {'; '.join(different)}"
            )
        state = about["run"]
        self._start(int(state["seed"]))
        if arrays["moments"].shape != self._trainer.moments.shape:
            raise ValueError(f"{os.fspath(path)!r} is the checkpoint of a run with another optimizer")
        self.network.params[:] = arrays["params"]
        self.network.epochs_trained = trained
        self._trainer.moments[:] = arrays["moments"]
        self._trainer.steps_done = int(state["steps"])
        self.epoch = int(state["epoch"])
        self.best_cost, self.best_epoch = float(state["best_cost"]), int(state["best_epoch"])
        self.best_params = arrays.get("best_params")
        self.history = History.from_dict(state["history"])
        self.history.stopped = None

    def train_epoch(
        self, chunks: Iterable[Chunk], shuffle: bool, report: Callable[[int, float], None]
    ) -> float:
        """One pass over the chunks; the mean cost. Leaves the parameters as they were if it diverges."""
        network, cost, rows, first_steps = self.network, 0.0, 0, 0
        before = network.params.copy()
        try:
            for number, (X, Y, weights) in enumerate(chunks):
                order = np.arange(len(X))
                if shuffle:
                    random = np.random.default_rng([network.seed, network.epochs_trained, number])
                    random.shuffle(order)
                first_steps = first_steps or -(-len(X) // self._settings.batch_size)
                cost += len(X) * self._trainer.epoch(X, Y, weights, order, first_steps, report)
                rows += len(X)
            if not np.isfinite(network.params).all():
                raise DivergenceError("the parameters are no longer finite: use a smaller learning rate")
        except DivergenceError as error:
            network.params[:] = before
            raise DivergenceError(
                f"epoch {self.epoch + 1}: {error}; the parameters are those before it"
            ) from None
        if rows == 0:
            raise ValueError(
                f"there were no chunks in epoch {self.epoch + 1}; an iterator is read once: give a list of "
                "chunks, or a function that returns a new iterator"
            )
        self.epoch += 1
        network.epochs_trained += 1
        return cost / rows

    def is_stale(self, rule: EarlyStopping | None) -> bool:
        """Note the newest cost; whether it is too long since the best one."""
        if rule is None:
            return False
        cost = (self.history.val_cost or self.history.cost)[-1]
        if cost < self.best_cost - rule.min_delta:
            self.best_cost, self.best_epoch = cost, self.epoch
            self.best_params = self.network.params.copy() if rule.restore else None
        return self.epoch - self.best_epoch >= rule.patience


def fit(
    network: Network,
    X: Any,
    y: Any = None,
    *,
    epochs: int = 10,
    batch_size: int | None = 32,
    optimizer: Optimizer | str = "adam",
    l2: float = 0.0,
    clip_norm: float | None = None,
    label_smoothing: float = 0.0,
    sample_weight: Any = None,
    class_weight: Mapping[int, float] | str | None = None,
    validation_data: Sequence[Any] | None = None,
    validation_split: float = 0.0,
    early_stopping: EarlyStopping | int | None = None,
    callbacks: Sequence[Callback] = (),
    checkpoint: Checkpoint | str | os.PathLike[str] | None = None,
    resume: str | os.PathLike[str] | None = None,
    progress: bool = False,
    shuffle: bool = True,
    threads: int | str = "auto",
    _run: Run | None = None,
    _return_run: bool = False,
) -> Any:
    """Train the network from its current parameters; returns the History.

    X (n_samples, n_in), y (n_samples,) or (n_samples, n_out); class indices or one-hot rows for softmax.
    With y left out, X is an iterable of chunks (X, y) or (X, y, sample_weight), or a function that returns
    one; schedules then count the first chunk's batches as an epoch.

    batch_size: rows of a step, None for all; l2: penalty l2/2 * sum of squared weights (not biases);
    clip_norm: largest norm of a step's gradient; label_smoothing: share of each label spread over all.
    class_weight: dict of class to weight, or 'balanced'. validation_data: (X, y) or (X, y, sample_weight);
    validation_split: share of the rows held out, drawn once from the seed. early_stopping: an EarlyStopping
    or its patience. checkpoint: a path or Checkpoint written after each epoch; resume: a checkpoint to go
    on from, if there is one. threads: a number, or 'auto' for what pays. A Ctrl-C ends the run with a
    warning and keeps the parameters of the last finished slice of some 50 ms.
    """
    _check_options(locals())
    dtype, resumable = network.dtype, resume is not None and os.path.exists(resume)
    validation, source = None, X
    if y is None:
        if sample_weight is not None or validation_split:
            raise ValueError("with chunks, give weights in the chunks and held-out data as validation_data")
        n_targets, weighted, capacity = _peek(network), True, int(batch_size or 0)
        if not capacity:
            raise ValueError("with chunks, batch_size must be a number")
        chunks = _chunks(network, X, class_weight)
    else:
        features = as_features(X, network.n_in, dtype)
        Y = as_targets(y, len(features), network.n_out, network.cost, dtype)
        weights = as_weights(sample_weight, class_weight, Y, dtype)
        if validation_split:
            features, Y, weights, validation = _split(network, features, Y, weights, validation_split)
        n_targets, weighted = Y.shape[1], weights.size > 0
        capacity = min(int(batch_size or len(features)), len(features))
        source = [(features, Y, weights)]
        chunks = lambda: iter(source)  # noqa: E731
    if validation_data is not None:
        validation = _validation(network, validation_data)
    optimizer = as_optimizer(optimizer)
    limits = {"l2": float(l2), "clip_norm": np.inf if clip_norm is None else float(clip_norm)}
    settings = Settings(optimizer, capacity, label_smoothing=float(label_smoothing),
                        huber_threshold=network.huber_threshold, threads=threads, **limits)  # fmt: skip
    rule = EarlyStopping(early_stopping) if isinstance(early_stopping, int) else early_stopping
    if checkpoint is not None:
        saver = checkpoint if isinstance(checkpoint, Checkpoint) else Checkpoint(checkpoint)
        callbacks = (*callbacks, saver)
    run = (
        _run
        if _run is not None and _run._settings == settings and _run._shape == (n_targets, weighted)
        else None
    )
    if run is None:
        run = Run(network, settings, epochs, n_targets, weighted)
        if resumable and resume is not None:
            run.restore(resume)
    else:
        run.epochs = run.epoch + epochs
    _train(run, chunks, shuffle, validation, rule, callbacks, progress)
    return (run.history, run) if _return_run else run.history


def _train(
    run: Run,
    chunks: Callable[[], Iterator[Chunk]],
    shuffle: bool,
    validation: Chunk | None,
    rule: EarlyStopping | None,
    callbacks: Sequence[Callback],
    progress: bool,
) -> None:
    """Epochs until one of the reasons to stop."""
    network, history = run.network, run.history
    done = 0

    with tqdm(disable=not progress, unit=" batches", desc=f"epoch {run.epoch + 1}/{run.epochs}") as bar:

        def report(batches: int, cost: float) -> None:
            nonlocal done
            bar.update(batches - done if batches > done else batches)
            bar.set_postfix(cost=f"{cost:.4g}")
            done = batches

        try:
            while run.epoch < run.epochs and history.stopped is None:
                done = 0
                bar.set_description(f"epoch {run.epoch + 1}/{run.epochs}")
                started = time.perf_counter()
                history.cost.append(run.train_epoch(chunks(), shuffle, report))
                history.seconds.append(time.perf_counter() - started)
                last = np.array([max(run._trainer.steps_done - 1, 0)])
                history.lr.append(
                    float(run._settings.optimizer.learning_rates(last, run._trainer.per_epoch)[0])
                )
                if validation is not None:
                    cost, score = cost_and_score(network, *validation)
                    history.val_cost.append(cost)
                    history.val_score.append(score)
                if run.is_stale(rule):
                    history.stopped = f"no better cost in {rule.patience if rule else 0} epochs"
                for callback in callbacks:
                    if callback(run):
                        history.stopped = history.stopped or f"a callback stopped it after epoch {run.epoch}"
        except KeyboardInterrupt:
            history.stopped = f"interrupted in epoch {run.epoch + 1} after {done} batches"
            warnings.warn(
                f"training was {history.stopped}; the parameters of the last finished slice are kept",
                stacklevel=4,
            )
    if rule is not None and rule.restore and run.best_params is not None:
        network.params[:] = run.best_params


def cost_and_score(network: Network, X: Array, Y: Array, weights: Any = None) -> tuple[float, float]:
    """Weighted mean cost and score: accuracy where the outputs are classes, else R2."""
    dtype = network.dtype
    weights = as_weights(weights, None, Y, dtype) if weights is None or np.size(weights) else weights
    from_logits = COSTS[network.cost].from_logits
    Z = network._outputs(X, network._logit_layers if from_logits else network._layers)
    costs, scratch = np.empty(len(X), dtype), np.empty_like(Z)
    output = ACTIVATIONS[network.activations[-1]].code
    scalars = dtype.type(0), dtype.type(network.huber_threshold), dtype.type(1)
    cost_backward(Z, Z, Y, weights, COSTS[network.cost].code, output, *scalars, costs, scratch)
    total = float(weights.sum(dtype=np.float64)) if weights.size else float(len(X))
    cost = float(costs.sum(dtype=np.float64)) / total
    share: Array = (weights if weights.size else np.ones(len(X))).astype(np.float64)[:, None]
    if network.cost == "softmax_cross_entropy":
        truth = Y[:, :1] if Y.shape[1] == 1 else Y.argmax(axis=1, keepdims=True)
        return cost, float((share * (Z.argmax(axis=1, keepdims=True) == truth)).sum() / total)
    if network.cost == "binary_cross_entropy":
        hits = ((Z > 0) == (Y > 0.5)).mean(axis=1, keepdims=True)
        return cost, float((share * hits).sum() / total)
    predicted = np.exp(Z.astype(np.float64)) if from_logits else Z.astype(np.float64)
    around = Y - (share * Y).sum(axis=0) / total
    spread, rest = (share * around**2).sum(axis=0), (share * (predicted - Y) ** 2).sum(axis=0)
    return cost, float(np.mean(1 - rest / np.where(spread > 0, spread, np.inf)))


def _peek(network: Network) -> int:
    """Columns that targets in chunks are brought to."""
    return 1 if network.cost == "softmax_cross_entropy" else network.n_out


def _chunks(network: Network, source: Any, class_weight: Any) -> Callable[[], Iterator[Chunk]]:
    """A function that reads the chunks once through, each checked when it comes."""

    def read() -> Iterator[Chunk]:
        for number, chunk in enumerate(source() if callable(source) else source):
            if not isinstance(chunk, tuple | list) or len(chunk) not in (2, 3):
                raise ValueError(f"chunk {number} is no tuple (X, y) or (X, y, sample_weight)")
            X, Y, weights = _validation(network, chunk)
            if network.cost == "softmax_cross_entropy" and Y.shape[1] > 1:
                Y = np.ascontiguousarray(Y.argmax(axis=1)[:, None], network.dtype)
            balanced = as_weights(None, class_weight, Y, network.dtype)
            weights = weights if weights.size else np.ones(len(X), network.dtype)
            yield X, Y, weights * balanced if balanced.size else weights

    return read


def _validation(network: Network, data: Sequence[Any]) -> Chunk:
    if not isinstance(data, tuple | list) or len(data) not in (2, 3):
        raise ValueError("validation_data must be a tuple (X, y) or (X, y, sample_weight)")
    X = as_features(data[0], network.n_in, network.dtype)
    Y = as_targets(data[1], len(X), network.n_out, network.cost, network.dtype)
    return X, Y, as_weights(data[2] if len(data) == 3 else None, None, Y, network.dtype)


def _split(
    network: Network, X: Array, Y: Array, weights: Array, share: float
) -> tuple[Array, Array, Array, Chunk]:
    """The training rows, and `share` of the rows for validation."""
    n_held = round(share * len(X))
    if not 0 < n_held < len(X):
        raise ValueError(f"validation_split={share} of {len(X)} rows leaves no rows on one side")
    order: NDArray[np.int64] = np.random.default_rng([network.seed, 1 << 32]).permutation(len(X))
    held, rest = np.sort(order[:n_held]), np.sort(order[n_held:])
    of = weights.size > 0
    return (
        X[rest],
        Y[rest],
        weights[rest] if of else weights,
        (X[held], Y[held], weights[held] if of else weights),
    )


def _check_options(options: Mapping[str, Any]) -> None:
    """Whole numbers and ranges, before any work."""
    for name, low in (("epochs", 0), ("batch_size", 1)):
        value = options[name]
        if name == "batch_size" and value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < low:
            raise ValueError(f"{name}={value!r} must be a whole number of at least {low}")
    for name, high in (("l2", np.inf), ("label_smoothing", 1), ("validation_split", 1)):
        if not (isinstance(options[name], int | float) and 0 <= options[name] < high):
            raise ValueError(f"{name}={options[name]!r} must be a number of at least 0 and below {high}")
    if options["clip_norm"] is not None and not 0 < options["clip_norm"] < np.inf:
        raise ValueError(f"clip_norm={options['clip_norm']!r} must be None or a positive number")
    threads = options["threads"]
    if threads != "auto" and (
        isinstance(threads, bool) or not isinstance(threads, int) or not 1 <= threads <= 1024
    ):
        raise ValueError(f"threads={threads!r} must be 'auto' or a number of at least 1")
    if options["validation_split"] and options["validation_data"] is not None:
        raise ValueError("give validation_data or validation_split, not both")
