"""Network: a model that is trained by `fit`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from fastnn.callbacks import Callback, Checkpoint, EarlyStopping
from fastnn.data import ClassWeight
from fastnn.history import History
from fastnn.input_stage import InputStage
from fastnn.model import Model
from fastnn.optimizers import Optimizer
from fastnn.rank_training import begin
from fastnn.run import Run
from fastnn.trainer import DivergenceError
from fastnn.training import Options, prepare


class Network(Model):
    """A multi-layer perceptron: `sizes` are its widths, from the inputs to the outputs.

    activation: of the hidden layers, one name or one per layer; output: of the last layer; it picks the
    matching cost (sigmoid binary cross-entropy, softmax cross-entropy, identity squared error, exp Poisson)
    unless `cost` names another. dropout: share of each hidden layer's units that a training step leaves
    out, one number or one per layer. dtype: float32 or float64. precision: 'bfloat16' rounds what products
    take, weights, activations and deltas, and sums in float32. `seed` makes everything reproducible.

    `params` is the one flat vector of all parameters; `weights[l]` (n_in, n_out) and `biases[l]` (n_out,)
    are views of it: assign to their elements, not to the attributes.

    >>> import numpy as np
    >>> X = np.random.default_rng(0).standard_normal((200, 2))
    >>> y = X[:, 0] * X[:, 1] > 0
    >>> net = Network([2, 16, 1], output="sigmoid", seed=1)
    >>> history = net.fit(X, y, epochs=200, optimizer="adam")
    >>> history.cost[-1] < 0.3 < history.cost[0]
    True
    >>> net.predict(X).shape
    (200, 1)
    >>> net.summary()
    layer  activation  W       dropout  parameters
    1      relu        2 x 16  0        48
    2      sigmoid     16 x 1  0        17
    65 parameters, float32, binary_cross_entropy
    """

    _run: Run | None = None  # the last one of `partial_fit`

    def fit(
        self,
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
        class_weight: ClassWeight = None,
        validation_data: Sequence[Any] | None = None,
        validation_split: float = 0.0,
        early_stopping: EarlyStopping | int | None = None,
        callbacks: Sequence[Callback] = (),
        checkpoint: Checkpoint | str | os.PathLike[str] | None = None,
        resume: str | os.PathLike[str] | None = None,
        progress: bool = False,
        shuffle: bool = True,
        threads: int | str = "auto",
        interrupt: str = "stop",
        comm: Any = None,
        input_stage: InputStage | None = None,
    ) -> History:
        """Train the network from its current parameters; returns the History.

        X (n_samples, n_in), dense or of scipy.sparse; y (n_samples,) or (n_samples, n_out); class indices
        or one-hot rows for softmax. With y left out, X is an iterable of chunks (X, y) or (X, y, weights), or
        a function that returns one; schedules then count the first chunk's batches as an epoch.

        batch_size: rows of a step, None for all; l2: penalty l2/2 * sum of squared weights (not biases);
        clip_norm: largest norm of a step's gradient; label_smoothing: share of each label spread over all.
        class_weight: dict of class to weight, or 'balanced'. validation_data: (X, y) or (X, y, weights);
        validation_split: share of the rows held out, drawn once from the seed. early_stopping: an
        EarlyStopping or its patience. checkpoint: a path or Checkpoint written after each epoch; resume: a
        checkpoint to go on from, seed included, if there is one. threads: a number, or 'auto' for what pays.
        A Ctrl-C ends the run with a warning and keeps the parameters of the last finished slice: of some
        50 ms, or of one step. The program goes on, with its next training too; interrupt='raise' ends the run
        in the same state and raises KeyboardInterrupt, as a second Ctrl-C within a second always does.

        comm: a communicator of mpi4py, whose processes all call `fit` with the same network and options, and
        each with rows of its own; `batch_size` counts those of all. One process that fails ends them all.

        input_stage: an InputStage, to learn a scale of each column and codes of categories while training.
        """
        options = Options(
            epochs, batch_size, optimizer, l2, clip_norm, label_smoothing, sample_weight, class_weight,
            validation_data, validation_split, early_stopping, callbacks, checkpoint, resume, progress,
            shuffle, threads, interrupt, comm, input_stage,
        )  # fmt: skip
        return begin(self, X, y, options).train()

    def partial_fit(
        self,
        X: Any,
        y: Any,
        *,
        batch_size: int = 32,
        optimizer: Optimizer | str | None = None,
        l2: float = 0.0,
        clip_norm: float | None = None,
        label_smoothing: float = 0.0,
        sample_weight: Any = None,
        class_weight: ClassWeight = None,
        validation_data: Sequence[Any] | None = None,
        validation_split: float = 0.0,
        early_stopping: EarlyStopping | int | None = None,
        callbacks: Sequence[Callback] = (),
        checkpoint: Checkpoint | str | os.PathLike[str] | None = None,
        resume: str | os.PathLike[str] | None = None,
        progress: bool = False,
        shuffle: bool = True,
        threads: int | str = "auto",
        interrupt: str = "stop",
    ) -> History:
        """One pass over a chunk of data; the optimizer's running means live on from pass to pass.

        Options are those of `fit`; the optimizer stays that of the last pass if none is given. The History
        is of all passes.
        """
        if optimizer is None:
            optimizer = "adam" if self._run is None else self._run.settings.optimizer
        options = Options(
            1, batch_size, optimizer, l2, clip_norm, label_smoothing, sample_weight, class_weight,
            validation_data, validation_split, early_stopping, callbacks, checkpoint, resume, progress,
            shuffle, threads, interrupt,
        )  # fmt: skip
        self._run = prepare(self, X, y, options, incremental=True, earlier=self._run)
        try:
            return self._run.train()
        except DivergenceError:
            self._run = None  # the parameters are good, the running means are not
            raise
