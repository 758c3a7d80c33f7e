"""The column to predict: classes or numbers, how a network learns them, and what its outputs say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastnn.cli.cells import as_numbers, as_texts, kind_of
from fastnn.cli.inputs import InputError
from fastnn.cli.preprocessing import Numbers

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[Any]
OUTPUTS = {"binary": "sigmoid", "multi-class": "softmax", "regression": "identity"}
# Whole numbers are classes if there are so few of them, and so many rows of each on average.
MOST_CLASSES, ROWS_PER_CLASS = 20, 5


@dataclass(frozen=True)
class Target:
    """labels: of the classes, in the order of the outputs; mean, scale: of the numbers of a regression."""

    name: str
    task: str
    labels: tuple[str, ...] = ()
    mean: float = 0.0
    scale: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "labels", tuple(self.labels))
        n_labels = len(set(self.labels))
        enough = {"binary": n_labels == 2, "multi-class": n_labels > 1, "regression": n_labels == 0}
        if not enough[self.task] or n_labels < len(self.labels):
            raise ValueError(f"{len(self.labels)} labels for {self.task}")
        if not all(isinstance(label, str) for label in self.labels):
            raise ValueError("labels that are no texts")
        Numbers(self.name, self.mean, self.scale)

    @property
    def n_out(self) -> int:
        return len(self.labels) if self.task == "multi-class" else 1

    @property
    def output(self) -> str:
        """The activation of the network's last layer."""
        return OUTPUTS[self.task]

    @property
    def score_name(self) -> str:
        return "R2" if self.task == "regression" else "accuracy"

    @classmethod
    def learn(cls, column: pd.Series, task: str | None = None) -> Target:
        """From a column without missing cells; its task is found out if it is not given."""
        name, kind = str(column.name), kind_of(column)
        if kind not in ("numbers", "texts"):
            raise InputError(f"the target {name!r} holds {kind}; give a column of numbers or of classes")
        task = task or _task(column, kind)
        if task == "regression":
            numbers = Numbers.learn(column)
            if isinstance(numbers, str):
                raise InputError(f"the target {name!r} has {numbers}: there is nothing to learn")
            return cls(name, task, mean=numbers.mean, scale=numbers.scale)
        labels = _labels(column, kind)
        if len(labels) < 2:
            raise InputError(f"the target {name!r} has one class, {labels[0]!r}: there is nothing to learn")
        if task == "binary" and len(labels) > 2:
            raise InputError(f"the target {name!r} has {len(labels)} classes; --task binary takes 2")
        if 2 * len(labels) > len(column):
            raise InputError(
                f"the target {name!r} has {len(labels)} classes in {len(column)} rows: "
                "that is too few rows for each"
            )
        return cls(name, task, labels)

    def codes(self, column: pd.Series) -> Array:
        """The cells (n_samples,) as the network learns them."""
        if self.task == "regression":
            with np.errstate(over="ignore"):  # fit refuses what is not finite
                return (as_numbers(column) - self.mean) / self.scale
        number = {label: i for i, label in enumerate(self.labels)}
        texts = as_texts(column)
        unknown = [text for text in texts if text not in number]
        if unknown:
            raise InputError(
                f"the target {self.name!r} holds {unknown[0]!r}; "
                f"the model knows {', '.join(self.labels[:MOST_CLASSES])}"
            )
        return np.array([number[text] for text in texts], np.float64)

    def predictions(self, outputs: Array) -> dict[str, Array]:
        """The columns of a table of predictions, from the outputs (n_samples, n_out) of a network."""
        if self.task == "regression":
            return {"prediction": self.mean + self.scale * outputs[:, 0].astype(np.float64)}
        shares = np.hstack([1 - outputs, outputs]) if self.task == "binary" else outputs
        columns = {"prediction": np.array(self.labels, object)[shares.argmax(axis=1)]}
        return columns | {f"p({label})": shares[:, i] for i, label in enumerate(self.labels)}

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Target:
        """What `to_dict` described; KeyError, TypeError or ValueError for anything else."""
        return cls(**values)


def _task(column: pd.Series, kind: str) -> str:
    """Texts and truth values are classes, two values too, and a few whole numbers; the rest is numbers."""
    values = set(column.tolist())
    if kind == "numbers" and not all(isinstance(value, bool) for value in values):
        whole = all(float(value).is_integer() for value in values)
        few = len(values) <= MOST_CLASSES and ROWS_PER_CLASS * len(values) <= len(column)
        if not (whole and (few or len(values) == 2)):
            return "regression"
    return "binary" if len(values) == 2 else "multi-class"


def _labels(column: pd.Series, kind: str) -> tuple[str, ...]:
    """The classes, in the order of numbers or of texts."""
    if kind == "numbers":
        order = np.unique(as_numbers(column), return_index=True)[1]
        return tuple(as_texts(column.iloc[order]))
    return tuple(sorted(set(as_texts(column))))
