"""Mini-batches of shuffled samples, on the driver and the engine that `Network.fit` has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastnn.checks import Array, as_kernels_want, real, whole
from fastnn.course._loops import Layers, as_columns, checked_data, checked_layers, flat_parameters
from fastnn.data import Rows
from fastnn.epochs import Epochs
from fastnn.model import MOST_EPOCHS
from fastnn.optimizers import SGD
from fastnn.plan import Plan, Settings
from fastnn.prediction import Forward
from fastnn.scores import cost_and_score
from fastnn.task import Task
from fastnn.trainer import DivergenceError, Trainer
from fastnn_kernels.activations import IDENTITY


class Descent(Epochs):
    """Plain gradient descent; curves: mean cost and accuracy after each epoch, over each of `judged`."""

    def __init__(
        self, trainer: Trainer, params: Array, layers: Array, judged: Sequence[Rows], epochs: int, seed: int
    ) -> None:
        super().__init__(trainer, params, len(judged[0]))
        self.judged, self.epochs = judged, epochs
        self.curves: list[tuple[float, ...]] = []
        self._random, self._rate = np.random.default_rng(seed), trainer.settings.optimizer.lr
        logits, n_in, n_out = layers.copy(), int(layers["n_in"][0]), int(layers["n_out"][-1])
        logits["activation"][-1] = IDENTITY
        self._logits = Forward(logits, params.dtype)
        self._task = Task(n_in, n_out, "sigmoid", "binary_cross_entropy", 1.0, params.dtype)

    def undecided(self) -> int:
        return min(1, self.epochs - len(self.curves))

    def parts(self) -> Sequence[Rows]:
        return self.judged[:1]

    def order(self, rows: Rows, part: int, count: int) -> NDArray[np.int64]:
        return self._random.permuted(np.arange(len(rows)))

    def rates(self, n_steps: int, count: int) -> NDArray[np.float64]:
        return self.trainer.settings.optimizer.corrected(np.arange(n_steps * count), n_steps)

    def note(self, costs: Array, seconds: float) -> None:
        found = [cost_and_score(self._task, self._logits(self.params, x.X), x) for x in self.judged]
        self.curves.append(sum(found, ()))

    def diverged(self, error: DivergenceError) -> None:
        raise DivergenceError(
            f"the cost is not finite after epoch {len(self.curves) + 1}: use a smaller learning_rate than "
            f"{self._rate:g}, or scale X"
        ) from None

    def interrupted(self) -> None:
        raise KeyboardInterrupt


def descend_epochs(
    X: Any,
    Y: Any,
    test: tuple[Any, Any] | None,
    parameters: Layers,
    activations: Sequence[str],
    learning_rate: float,
    epochs: int,
    batch_size: int,
    seed: int,
) -> tuple[Layers, Array]:
    """W and b of each layer after so many epochs, and the curves (n_epochs, 2 or 4): see `Descent`.

    X (n_in, n_samples), Y (n_out, n_samples), W (n_out, n_in), b (n_out, 1): none of them is changed; test:
    (X_test, Y_test) to judge by too. The cost is the mean cross-entropy; the last activation is the sigmoid.
    """
    rate, epochs = real("learning_rate", learning_rate), whole("epochs", epochs, 0, MOST_EPOCHS)
    whole("batch_size", batch_size, 1)
    dtype = parameters[0][0].dtype
    data = [checked_data(X, Y, dtype)]
    if test is not None:
        data.append(checked_data(*test, dtype, ("X_test", "Y_test")))
        if len(data[1][0]) != len(data[0][0]):
            sizes = len(data[1][0]), len(data[0][0])
            raise ValueError("X_test has {} features, X has {}: they must be the same ones".format(*sizes))
    layers, none = checked_layers(*data[0], parameters, activations), np.empty(0, dtype)
    rows = [Rows(as_kernels_want(x.T, dtype), as_kernels_want(y.T, dtype), none) for x, y in data]
    params = flat_parameters(parameters)
    settings = Settings(SGD(rate), min(batch_size, len(rows[0])))
    shape = rows[0].Y.shape[1], False, 0, settings
    trainer = Trainer(Plan(layers, dtype, "binary_cross_entropy", *shape), params)
    run = Descent(trainer, params, layers, rows, epochs, seed)
    run.drive()
    return as_columns(params, layers), np.reshape(run.curves, (epochs, 2 * len(rows)))
