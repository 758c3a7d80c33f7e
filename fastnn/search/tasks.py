"""What scikit-learn's callbacks are told of a search: its evaluations, and the fit of the best candidate."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Tasks:
    """The task of a search, and those within it; before scikit-learn 1.9 nobody asks."""

    def __init__(self, search: Any, X: Any, y: Any) -> None:
        self._search, self._data = search, {"X": X, "y": y}
        self._root: Any = None
        self._evaluations: Any = None
        self._done = 0
        # Else nobody can see the evaluations, of each of which scikit-learn would keep a record.
        self._watched = any(hasattr(one, "_skl_callbacks") for one in (search, search.estimator))
        start = getattr(search, "_init_callback_context", None)
        if start is not None:
            self._root = start(max_subtasks=1 + (search.refit is not False))
            self._root.call_on_fit_task_begin(estimator=search, **self._data)

    def begin(self, n_evaluations: int) -> None:
        """So many candidates on folds are going to be scored, rung after rung."""
        if self._root is not None:
            options = {"max_subtasks": n_evaluations, "sequential_subtasks": False}
            self._evaluations = self._root.subcontext(task_name="search", **options)
            self._evaluations.call_on_fit_task_begin(estimator=self._search)

    def scored(self, count: int) -> None:
        """So many more of them are."""
        if self._evaluations is not None and self._watched:
            for number in range(self._done, self._done + count):
                one = self._evaluations.subcontext(task_name="candidate-split-evaluation", task_id=number)
                one.call_on_fit_task_begin(estimator=self._search, **self._data)
                one.call_on_fit_task_end(estimator=self._search, **self._data)
            self._done += count

    def searched(self) -> None:
        """All of them are."""
        if self._evaluations is not None:
            self._evaluations.call_on_fit_task_end(estimator=self._search)

    @contextmanager
    def refit(self, best: Any) -> Iterator[None]:
        """While the best one is fitted; callbacks that follow estimators into their parts follow there."""
        if self._root is None:
            yield
            return
        task = self._root.subcontext(task_name="refit-with-best-params")
        with task.propagate_callback_context(best):
            task.call_on_fit_task_begin(estimator=self._search, **self._data)
            yield
        task.call_on_fit_task_end(estimator=self._search, **self._data)

    def end(self) -> None:
        """The search is over."""
        if self._root is not None:
            self._root.call_on_fit_task_end(estimator=self._search, **self._data)
