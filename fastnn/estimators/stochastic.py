"""The epochs of the solvers sgd, adam and adamw, and the rules that end them."""

from __future__ import annotations

import time
import warnings
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from fastnn.data import Array
from fastnn.engine import DivergenceError, Settings, Trainer
from fastnn.estimators.evaluation import Evaluation, Rows, log_loss_ceiling
from fastnn.estimators.hooks import EpochHooks
from fastnn.estimators.solvers import Solver

# Epochs between which nothing can be decided go into one call of the engine, as many as take so long: what a
# Ctrl-C may cost.
CALL_SECONDS = 0.05
NOT_FINITE = (
    "Solver produced non-finite parameter weights. The input data may contain large values and need to be"
    " preprocessed."
)


def clipped_batch_size(asked: int | str, n_rows: int) -> int:
    if isinstance(asked, str):
        return min(200, n_rows)
    if asked > n_rows:
        warnings.warn(
            "Got `batch_size` less than 1 or larger than sample size. It is going to be clipped",
            stacklevel=2,
        )
    return min(int(asked), n_rows)


class StochasticFit:
    """One `fit` or `partial_fit` of an estimator whose parameters and solver are ready.

    data: all rows; order: the numbers of those to train on; evaluation: of the others, if there are any;
    best: the parameters that the evaluation found best, or None.
    """

    def __init__(self, estimator: Any, data: Rows, order: Array, evaluation: Evaluation | None) -> None:
        self.estimator, self.data, self.evaluation = estimator, data, evaluation
        self._order = order
        self._diverged = False
        fresh = estimator.early_stopping and not estimator.loss_curve_
        self.best: Array | None = estimator._flat.vector.copy() if fresh else None
        batch_size = clipped_batch_size(estimator.batch_size, order.size)
        self._first_rows = np.arange(0, order.size, batch_size)
        self._batch_sizes = np.minimum(batch_size, order.size - self._first_rows)
        self._trainer = self._ready_trainer(batch_size)
        self._seconds = np.inf  # of an epoch, once measured

    def _ready_trainer(self, batch_size: int) -> Trainer:
        """A trainer with the running means of the estimator's solver; the last one, where it is the same."""
        estimator, data = self.estimator, self.data
        solver: Solver = estimator._optimizer
        layers = estimator._flat.layers(estimator.activation, estimator.out_activation_, estimator.dropout)
        settings = Settings(
            solver.kernel,
            batch_size,
            l2=float(estimator.alpha),
            l2_by_batch=True,
            ceiling=log_loss_ceiling(estimator._cost, estimator._flat.vector.dtype),
            clip_norm=np.inf if estimator.clip_norm is None else float(estimator.clip_norm),
            threads=estimator.n_threads or "auto",
        )
        seed = int(estimator._random_state.randint(2**31)) if (layers["keep"] < 1).any() else 0
        shape = data.Y.shape[1], data.weights is not None, seed, settings, not isinstance(data.X, np.ndarray)
        kept = estimator.__dict__.get("_trainer")
        vector, key = estimator._flat.vector, (layers.tobytes(), *shape)
        if kept is not None and kept[0] == key and kept[1].model.params is vector:
            trainer = kept[1]
        else:
            trainer = Trainer(layers, vector, estimator._cost, *shape)
        if solver.moments is not None and solver.moments is not trainer.moments:
            trainer.moments[:] = solver.moments
        trainer.steps_done = solver.steps
        solver.moments = trainer.moments
        estimator._trainer = key, trainer
        return trainer

    def run(self, hooks: EpochHooks, max_epochs: int, incremental: bool) -> None:
        """Epochs until one of the rules, a hook, `max_epochs` or Ctrl-C ends them."""
        estimator = self.estimator
        estimator.n_iter_ = 0
        try:
            while estimator.n_iter_ < max_epochs:
                hooks.begin()
                n_epochs = self._undecided_epochs(max_epochs, hooks.wanted)
                stops = [self._end_epoch(loss) for loss in self._train(n_epochs)]
                if hooks.end() or any(stops):
                    break
            else:
                if not incremental:
                    warnings.warn(
                        f"Stochastic Optimizer: Maximum iterations ({max_epochs}) reached and the "
                        "optimization hasn't converged yet.",
                        ConvergenceWarning,
                        stacklevel=2,
                    )
        except KeyboardInterrupt:
            estimator._optimizer.steps = self._trainer.steps_done
            warnings.warn("Training interrupted by user.", stacklevel=2)

    def _undecided_epochs(self, max_epochs: int, hooked: bool) -> int:
        """How many epochs can run before anything has to be looked at."""
        if hooked or self.evaluation is not None:
            return 1
        estimator = self.estimator
        before_a_stop = estimator.n_iter_no_change + 1 - estimator._no_improvement_count
        in_time = max(1, CALL_SECONDS // self._seconds)
        return int(max(1, min(max_epochs - estimator.n_iter_, before_a_stop, in_time)))

    def _train(self, n_epochs: int) -> Array:
        """Train for so many epochs; the mean loss of each (n_epochs,)."""
        if self._diverged:
            return np.full(n_epochs, np.nan)
        estimator, data, n_rows = self.estimator, self.data, self._order.size
        started = time.perf_counter()
        starts = np.tile(self._first_rows, n_epochs)
        if estimator.shuffle:
            order = np.empty((n_epochs, n_rows), np.int64)
            for epoch in range(n_epochs):
                estimator._random_state.shuffle(self._order)
                order[epoch] = self._order
            starts += np.repeat(np.arange(n_epochs) * n_rows, self._first_rows.size)
        else:
            order = self._order
        spans = np.stack([starts, starts + np.tile(self._batch_sizes, n_epochs)], axis=1)
        seen = estimator.t_ + np.arange(n_epochs) * n_rows
        rates = estimator._optimizer.rates(seen, self._first_rows.size)
        weights = np.empty(0, data.Y.dtype) if data.weights is None else data.weights
        try:
            costs = self._trainer.train(data.X, data.Y, weights, order.ravel(), spans, rates)
        except DivergenceError:
            if self.evaluation is None or not estimator.early_stopping:
                raise ValueError(NOT_FINITE) from None
            # The best parameters come back in the end: until then there is nothing to learn any more.
            self._diverged = True
            estimator._flat.vector[:] = np.nan
            return np.full(n_epochs, np.nan)
        self._seconds = (time.perf_counter() - started) / n_epochs
        # The loss of several numbers is the mean over them, though the gradient is that of their sum.
        outputs = data.Y.shape[1] if estimator._cost == "squared_error" else 1
        losses = (costs[:, 0] / outputs + costs[:, 1]).reshape(n_epochs, -1)
        return losses @ self._batch_sizes / n_rows

    def _end_epoch(self, loss: Any) -> bool:
        """Write down what an epoch brought; whether the rules say that it was the last."""
        estimator = self.estimator
        solver: Solver = estimator._optimizer
        estimator.n_iter_ += 1
        estimator.t_ += self._order.size
        estimator.loss_ = loss
        estimator.loss_curve_.append(loss)
        if estimator.verbose:
            print(f"Iteration {estimator.n_iter_}, loss = {loss:.8f}")
        self._note_improvement(loss)
        solver.end_epoch(estimator.t_, solver.steps + self._first_rows.size)
        if estimator._no_improvement_count <= estimator.n_iter_no_change:
            return False
        stop, consequence = solver.slow_down()
        if estimator.verbose:
            what = "Validation score" if estimator.early_stopping else "Training loss"
            print(
                f"{what} did not improve more than tol={estimator.tol:f} for "
                f"{estimator.n_iter_no_change} consecutive epochs. {consequence}"
            )
        if not stop:
            estimator._no_improvement_count = 0
        return stop

    def _note_improvement(self, loss: Any) -> None:
        """Compare with the best so far: the validation score with early stopping, else the loss."""
        estimator, tol = self.estimator, self.estimator.tol
        if self.evaluation is not None:
            val_loss, score = self.evaluation()
            estimator.validation_loss_curve_.append(val_loss)
            estimator.validation_scores_.append(score)
            if estimator.verbose:
                print(f"Validation score: {score:f}")
            improved = not score < estimator.best_validation_score_ + tol
            if score > estimator.best_validation_score_:
                estimator.best_validation_score_ = score
                if estimator.early_stopping:
                    self.best = estimator._flat.vector.copy()
        if not estimator.early_stopping:
            best = np.inf if estimator.best_loss_ is None else estimator.best_loss_
            improved = not loss > best - tol
            estimator.best_loss_ = loss if loss < best else best
        estimator._no_improvement_count = 0 if improved else estimator._no_improvement_count + 1
