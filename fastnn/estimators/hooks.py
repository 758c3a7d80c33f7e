"""What may happen after each epoch: a user's functions, a progress bar, scikit-learn's callbacks."""

from __future__ import annotations

from types import TracebackType
from typing import Any

from fastnn.bar import Bar

try:
    from sklearn.callback import CallbackSupportMixin
except ImportError:  # before scikit-learn 1.9

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Nothing to support."""


class EpochHooks:
    """A context around the epochs of a fit; `wanted` if anything is to be done between them.

    data: X, y and the weights, as they were given.
    """

    def __init__(self, estimator: Any, data: tuple[Any, Any, Any], n_epochs: int) -> None:
        self._estimator, self._n_epochs = estimator, n_epochs
        own = estimator.on_epoch_end
        self._functions = own if isinstance(own, list | tuple) else () if own is None else (own,)
        self._bar: Bar | None = None
        self._done = 0
        self.data = data
        self._root: Any = None
        self._epoch: Any = None
        self.wanted = bool(self._functions or estimator.progress or hasattr(estimator, "_skl_callbacks"))

    @property
    def _told(self) -> dict[str, Any]:
        X, y, weights = self.data
        return {"X": X, "y": y, "metadata": None if weights is None else {"sample_weight": weights}}

    def __enter__(self) -> EpochHooks:
        if self._estimator.progress:
            self._bar = Bar(self._n_epochs)
        start = getattr(self._estimator, "_init_callback_context", None)
        if start is not None:
            self._root = start(max_subtasks=self._n_epochs)
            self._root.call_on_fit_task_begin(estimator=self._estimator, **self._told)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()
        if self._root is not None and kind is None:
            self._call(self._root)

    def begin(self) -> None:
        """Before an epoch, or during it: once is enough."""
        if self.wanted and self._root is not None and self._epoch is None:
            self._epoch = self._root.subcontext(task_name="epoch")
            self._epoch.call_on_fit_task_begin(
                estimator=self._estimator, reconstruction_attributes={}, **self._told
            )

    def end(self) -> bool:
        """After an epoch: whether anybody wants to stop."""
        if not self.wanted:
            return False
        if self._bar is not None:
            self._done += 1
            self._bar.show(self._done, loss=self._estimator.loss_)
        stop = [bool(function(self._estimator)) for function in self._functions]
        if self._epoch is not None:
            stop.append(self._call(self._epoch))
            self._epoch = None
        return any(stop)

    def _call(self, context: Any) -> bool:
        return bool(
            context.call_on_fit_task_end(
                estimator=self._estimator, reconstruction_attributes={}, **self._told
            )
        )
