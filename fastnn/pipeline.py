"""What `fastnn train` has made of a table, from Python: predictions for a DataFrame, in the user's units."""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING, Any

from fastnn.checks import Array
from fastnn.cli.columns import Rules
from fastnn.cli.inputs import InputError
from fastnn.cli.model import Model

if TYPE_CHECKING:
    import pandas as pd


class TablePipeline:
    """A trained model of a table, and how the cells of its columns are read.

    estimator: the TabularClassifier or TabularRegressor; columns: the names of the columns that it takes;
    target: that of the column which it predicts; task: "binary", "multi-class" or "regression"; classes_: the
    labels, in the order of `predict_proba`, or None for a regression.
    """

    def __init__(self, model: Model) -> None:
        self.model, self.estimator = model, model.estimator
        self.columns, self.target, self.task = model.columns, model.target, model.task
        self.classes_ = getattr(model.estimator, "classes_", None)

    def __repr__(self) -> str:
        networks = self.estimator.networks_
        sizes = "-".join(map(str, networks[0].sizes))
        return f"<{self.task} of {self.target!r} from {len(self.columns)} columns, {len(networks)} x {sizes}>"

    def predict(self, frame: pd.DataFrame) -> Array:
        """The labels, or the numbers in the target's own unit (n_rows,).

        frame: a table with the `columns`; others are passed over, and cells may be missing. Texts that spell
        numbers or dates are read as the command reads them. A text that the training has not seen counts as
        missing, and a UserWarning says so.
        """
        return self._asked(lambda tell: self.estimator.predict(self.model.frame(frame, Rules(), tell)), frame)

    def predict_proba(self, frame: pd.DataFrame) -> Array:
        """The probability of each of classes_ (n_rows, n_classes)."""
        if self.classes_ is None:
            raise ValueError(f"{self.target!r} is a number, which has no probability: call predict")
        return self._asked(
            lambda tell: self.estimator.predict_proba(self.model.frame(frame, Rules(), tell)), frame
        )

    def evaluate(self, frame: pd.DataFrame) -> dict[str, float]:
        """The scores by name, on the rows whose target is known, as `fastnn evaluate` prints them."""
        return dict(self._asked(lambda tell: self.model.report(frame, Rules(), tell).scores, frame))

    @staticmethod
    def _asked(answer: Any, frame: Any) -> Any:
        import pandas as pd

        if not isinstance(frame, pd.DataFrame):
            raise TypeError(f"give a pandas DataFrame with the columns by name, not {type(frame).__name__}")
        repeated = frame.columns[frame.columns.duplicated()].tolist()
        if repeated:
            raise ValueError(f"the table has more than one column {repeated[0]!r}; rename them")
        try:
            return answer(lambda note: warnings.warn(note, stacklevel=5))
        except InputError as error:
            raise ValueError(str(error)) from None


def load_pipeline(path: str | os.PathLike[str]) -> TablePipeline:
    """What `fastnn train --out` has written; ModelFileError for any other file.

    >>> load_pipeline("prices.csv")  # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
    FileNotFoundError: there is no such file
    """
    return TablePipeline(Model.load(os.fspath(path)))
