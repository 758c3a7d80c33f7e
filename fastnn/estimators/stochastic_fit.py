"""What a fit with the solvers sgd, adam and adamw decides before its epochs and settles after them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn import get_config
from sklearn.model_selection import train_test_split

from fastnn.checks import Array
from fastnn.data import Rows
from fastnn.estimators.evaluation import Evaluation
from fastnn.estimators.fitted import FittedNetwork
from fastnn.estimators.hooks import EpochHooks
from fastnn.estimators.options import NUMBERS, Hyperparameters
from fastnn.estimators.shuffles import Shuffles
from fastnn.estimators.solvers import STOCHASTIC, Solver, new_solver
from fastnn.estimators.stochastic import NOT_FINITE, Stochastic
from fastnn.optimizers import Optimizer
from fastnn.plan import Plan, Settings
from fastnn.trainer import Trainer
from fastnn_kernels.costs import COSTS


def clipped_batch_size(asked: int | str, n_rows: int) -> int:
    """The rows of a batch, of so many; what is asked for is an estimator's `batch_size`."""
    if isinstance(asked, str):
        return min(200, n_rows)
    if asked > n_rows:
        warnings.warn(
            "Got `batch_size` less than 1 or larger than sample size. It is going to be clipped",
            stacklevel=2,
        )
    return min(int(asked), n_rows)


class StochasticFit(FittedNetwork, Hyperparameters):
    """The part of an estimator that makes a `Stochastic` of checked rows, and takes its results."""

    huber_threshold: float = 1.0  # a parameter of MLPRegressor
    _optimizer: Solver
    _random_state: np.random.RandomState
    _no_improvement_count: int
    loss_curve_: list[Any]
    validation_scores_: list[float] | None
    validation_loss_curve_: list[float] | None
    best_validation_score_: float | None

    @property
    def _cost(self) -> str:
        """fastnn's name of the loss."""
        raise NotImplementedError

    def _score_outputs(self, Y: Array, outputs: Array, weights: Array) -> float:
        raise NotImplementedError

    def _stratify(self, Y: Array) -> Array | None:
        """The classes of which a held-out part should have its share."""
        return None

    def _n_terms(self) -> int:
        """How many outputs a row's loss is the mean over, though the gradient is that of their sum."""
        return self.n_outputs_ if COSTS[self._cost].targets in ("numbers", "quantiles") else 1

    def _plan(self, rows: Rows, optimizer: Optimizer, batch_size: int) -> Plan:
        """What is decided about training on such rows."""
        vector, stochastic = self._flat.vector, self.solver in STOCHASTIC
        dropout = self.dropout if stochastic else 0.0
        layers = self._flat.layers(self.activation, self.out_activation_, dropout)
        # scikit-learn clips the probability of a label at the spacing of 1.
        clipped = COSTS[self._cost].targets in ("labels", "classes")
        settings = Settings(
            optimizer,
            batch_size,
            l2=float(self.alpha),
            l2_by_batch=True,
            ceiling=float(-np.log(np.finfo(vector.dtype).eps)) if clipped else np.inf,
            clip_norm=np.inf if self.clip_norm is None else float(self.clip_norm),
            huber_threshold=float(self.huber_threshold),
            tolerant=True,
            threads=self.n_threads or "auto",
        )
        seed = int(self._random_state.randint(2**31)) if (layers["keep"] < 1).any() else 0
        shape = rows.Y.shape[1], rows.weights.size > 0, seed, settings, rows.sparse
        bfloat16 = self.precision is not None
        return Plan(layers, vector.dtype, self._cost, *shape, gradient_only=not stochastic, bfloat16=bfloat16)

    def _trainer(self, plan: Plan) -> Trainer:
        """What trains by this plan: the last one, where it would be the same."""
        vector = self._flat.vector
        kept: Trainer | None = self.__dict__.get("_kept")
        if kept is None or kept.plan != plan or kept.params is not vector:
            self._kept = kept = Trainer.of(plan, vector)
        return kept

    def _split(self, rows: Rows, labels: Any, held: Any) -> tuple[Array, Evaluation | None]:
        """The numbers of the rows to train on, and what judges an epoch, if anything does."""
        order = np.arange(len(rows)) if rows.chosen is None else rows.chosen
        if held is None and self.early_stopping:
            order, others = train_test_split(
                order,
                random_state=self._random_state,
                test_size=self.validation_fraction,
                stratify=self._stratify(rows.Y[order]),
            )
            if others.size < 2:
                raise ValueError(
                    "The validation set is too small. Increase 'validation_fraction' or the size of your "
                    "dataset."
                )
            held = rows.take(others), labels[others]
        if held is None:
            return order, None
        return order, self._judge(*held)

    def _judge(self, rows: Rows, labels: Any) -> Evaluation:
        return Evaluation(self, self._cost, rows, labels, self._outputs, self._score_outputs)

    def _run(
        self, rows: Rows, labels: Any, held: Any, hooks: EpochHooks, max_epochs: int, incremental: bool
    ) -> Stochastic:
        """The epochs of a fit, of which none is trained yet."""
        if not incremental or not hasattr(self, "_optimizer"):
            self._optimizer = new_solver(self)
        order, evaluation = self._split(rows, labels, held)
        if not hasattr(self, "loss_curve_"):  # what was fitted with lbfgs goes on with another solver
            self._start_record()
        if evaluation is not None and self.validation_scores_ is None:
            self._start_validation()
        solver, vector, stale = self._optimizer, self._flat.vector, self._no_improvement_count
        plan = self._plan(rows, solver.optimizer, clipped_batch_size(self.batch_size, order.size))
        shuffles = Shuffles(order, self._random_state if self.shuffle else None)
        self.n_iter_ = 0
        return Stochastic(
            self, plan, vector, solver, stale, shuffles, rows, evaluation, hooks, self._n_terms(),
            max_epochs,
        )  # fmt: skip

    def begin_twin(self, run: Stochastic, numbers: Mapping[str, Any]) -> Stochastic:
        """`run`, which `begin_fit` has begun here, for an estimator that differs in these of NUMBERS alone.

        What both would check, draw and decide is there already. Of `run` none is trained yet, or it and its
        twin go on from what others have left.
        """
        twin = object.__new__(type(self))
        twin.__dict__.update(vars(self), **numbers)
        if not get_config()["skip_parameter_validation"]:
            twin._validate_params(NUMBERS)
        twin._link(self._flat.copy())
        twin._start_record()
        twin._optimizer = solver = new_solver(twin)
        judge = None if run.evaluation is None else twin._judge(run.evaluation.rows, run.evaluation.labels)
        return Stochastic(
            twin, run.plan, twin._flat.vector, solver, 0, run.shuffles, run.rows, judge,
            EpochHooks(twin, run.hooks.data, twin.max_iter), twin._n_terms(), twin.max_iter,
        )  # fmt: skip

    def end_fit(self, run: Stochastic) -> None:
        """Settle what the epochs of `begin_fit` have brought."""
        self._no_improvement_count = run.stale
        # An epoch of an earlier fit may have been better: from there this one has gone on, and stays.
        if self.early_stopping and run.best is not None:
            self._flat.vector[:] = run.best
        if not np.isfinite(self._flat.vector).all():
            raise ValueError(NOT_FINITE)

    def _start_record(self) -> None:
        """The attributes that epochs add to, from fit to fit where training goes on."""
        self.loss_curve_ = []
        self._no_improvement_count = 0  # the name under which scikit-learn's own tests look for it
        self.best_loss_ = None if self.early_stopping else np.inf
        self.validation_scores_ = self.validation_loss_curve_ = self.best_validation_score_ = None
        if self.early_stopping:
            self._start_validation()

    def _start_validation(self) -> None:
        self.validation_scores_, self.validation_loss_curve_ = [], []
        self.best_validation_score_ = -np.inf
