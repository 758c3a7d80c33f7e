"""The epochs of the solvers sgd, adam and adamw, and the rules that end them."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

from fastnn.checks import Array
from fastnn.data import Rows
from fastnn.epochs import Epochs
from fastnn.estimators.evaluation import Evaluation
from fastnn.estimators.hooks import EpochHooks
from fastnn.estimators.shuffles import Shuffles
from fastnn.estimators.solvers import Solver
from fastnn.plan import Plan
from fastnn.trainer import DivergenceError, Trainer

NOT_FINITE = (
    "Solver produced non-finite parameter weights. The input data may contain large values and need to be"
    " preprocessed."
)


# What epochs write into an estimator's public attributes.
RECORD = (
    "n_iter_", "t_", "loss_", "loss_curve_", "best_loss_", "validation_scores_", "validation_loss_curve_",
    "best_validation_score_",
)  # fmt: skip


class Stochastic(Epochs):
    """The epochs of one `fit` or `partial_fit` of an estimator, whose public attributes they write.

    plan: of the training; twins share one, but penalty and optimizer are each one's own: `own_plan`; rows:
    all rows; shuffles: the numbers of those to train on; evaluation: of the others, if there are any;
    outputs: the loss of several numbers is the mean over them, though the gradient is that of their sum;
    stale: epochs since the last one that was better; best: the parameters that the evaluation found best.
    `train` trains it alone, `lockstep` many at once.
    """

    trainer: Any  # the plan, as long as none is at work

    def __init__(
        self,
        estimator: Any,
        plan: Plan,
        params: Array,
        solver: Solver,
        stale: int,
        shuffles: Shuffles,
        rows: Rows,
        evaluation: Evaluation | None,
        hooks: EpochHooks,
        outputs: int,
        max_epochs: int,
    ) -> None:
        self.plan, self.trainer = plan, plan
        super().__init__(self.trainer, params, len(shuffles))
        self.estimator, self.evaluation, self.hooks = estimator, evaluation, hooks
        self.solver, self.stale, self.max_epochs = solver, stale, max_epochs
        self.shuffles, self.rows, self._outputs = shuffles, rows, outputs
        self.n_rows = len(shuffles)
        self.stopped = False
        fresh = estimator.early_stopping and not estimator.loss_curve_
        self.best: Array | None = params.copy() if fresh else None

    @property
    def l2(self) -> float:
        return float(self.estimator.alpha)

    def own_plan(self) -> Plan:
        """The plan with this run's own numbers."""
        return self.plan.twin(self.l2, self.solver.optimizer)

    def train(self, trainer: Trainer) -> None:
        """Epochs with this trainer until one of the rules, a hook, `max_epochs` or Ctrl-C ends them."""
        if self.solver.moments is not None:
            trainer.go_on(self.solver.moments, self.solver.steps)
        self.trainer = trainer
        try:
            self.drive()
        finally:
            self.solver.moments = trainer.moments

    def state(self) -> dict[str, Any]:
        """All that `go_on` needs in order to go on later, or elsewhere, with another run of the same data.

        This run goes on no more: it is not copied.
        """
        about = vars(self.estimator)
        record = {name: about[name] for name in RECORD if name in about}
        own = {name: getattr(self, name) for name in ("stale", "best", "stopped", "shuffles")}
        return {"params": self.params.copy(), "solver": vars(self.solver), "record": record, "own": own}

    def go_on(self, state: dict[str, Any]) -> None:
        """Take up what another run of the same estimator and data has left."""
        self.params[:] = state["params"]
        vars(self.solver).update(state["solver"])
        vars(self.estimator).update(state["record"])
        vars(self).update(state["own"])

    def warn_unless_stopped(self) -> None:
        if not self.stopped:
            warnings.warn(
                f"Stochastic Optimizer: Maximum iterations ({self.max_epochs}) reached and the "
                "optimization hasn't converged yet.",
                ConvergenceWarning,
                stacklevel=2,
            )

    def undecided(self) -> int:
        left = self.max_epochs - self.estimator.n_iter_
        if self.stopped or left <= 0:
            return 0
        if self.hooks.wanted or self.evaluation is not None:
            return 1
        return int(max(1, min(left, self.estimator.n_iter_no_change + 1 - self.stale)))

    def begin(self) -> None:
        self.hooks.begin()

    def parts(self) -> list[Rows]:
        return [self.rows]

    def order(self, rows: Rows, part: int, count: int) -> NDArray[np.int64]:
        order = self.shuffles.epochs(self.estimator.n_iter_, count)
        if rows.weights.size:
            for one in np.atleast_2d(order):
                self._check_weights(one)
        return order

    def _check_weights(self, order: NDArray[np.int64]) -> None:
        """No batch of an epoch in this order has weights that are all zero: its mean loss has no value."""
        sums = np.add.reduceat(self.rows.weights[order], np.arange(0, order.size, self.batch_size))
        if not sums.all():
            raise ZeroDivisionError(
                "Weights sum to zero, can't be normalized: all rows of a batch have sample_weight 0; "
                "leave such rows out, or take larger batches"
            )

    def rates(self, n_steps: int, count: int) -> NDArray[np.float64]:
        return self.solver.rates(self.estimator.t_, self.n_rows, count, n_steps)

    def diverged(self, error: DivergenceError) -> None:
        """The loss is NaN. As in scikit-learn, an infinite one is kept: what counts are finite parameters."""
        if self.evaluation is None or not self.estimator.early_stopping:
            self.estimator.loss_curve_.append(np.float64(np.nan))
            raise ValueError(NOT_FINITE) from None
        # The best parameters come back in the end: until then there is nothing to learn any more.
        self.params[:] = np.nan
        while self.undecided():
            self.begin()
            self.note(np.full((1, 2), np.nan), 0.0)

    def interrupted(self) -> None:
        self.stopped = True
        self.solver.steps = self.trainer.steps_done
        warnings.warn("Training interrupted by user.", stacklevel=2)

    def note(self, costs: Array, seconds: float) -> None:
        stops = [self._end_epoch(loss) for loss in costs[:, 0] / self._outputs + costs[:, 1]]
        self.stopped = self.hooks.end() or any(stops)

    def _end_epoch(self, loss: Any) -> bool:
        """Write down what an epoch brought; whether the rules say that it was the last."""
        estimator, solver = self.estimator, self.solver
        estimator.n_iter_ += 1
        estimator.t_ += self.n_rows
        estimator.loss_ = loss
        estimator.loss_curve_.append(loss)
        if estimator.verbose:
            print(f"Iteration {estimator.n_iter_}, loss = {loss:.8f}")
        self._note_improvement(loss)
        solver.end_epoch(estimator.t_, solver.steps + self.per_epoch)
        if self.stale <= estimator.n_iter_no_change:
            return False
        stop, consequence = solver.slow_down()
        if estimator.verbose:
            what = "Validation score" if estimator.early_stopping else "Training loss"
            print(
                f"{what} did not improve more than tol={estimator.tol:f} for "
                f"{estimator.n_iter_no_change} consecutive epochs. {consequence}"
            )
        if not stop:
            self.stale = 0
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
                    self.best = self.params.copy()
        if not estimator.early_stopping:
            best = np.inf if estimator.best_loss_ is None else estimator.best_loss_
            improved = not loss > best - tol
            estimator.best_loss_ = loss if loss < best else best
        self.stale = 0 if improved else self.stale + 1
