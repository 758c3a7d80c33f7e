"""A model: a network, and what it takes to read tables for it, in one file of numbers and text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastnn.cli.cells import kind_of
from fastnn.cli.inputs import InputError
from fastnn.cli.preprocessing import Preprocessing
from fastnn.cli.target import Target
from fastnn.network import Network
from fastnn.storage import ModelFileError, read

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[Any]
Say = Callable[[str], None]


@dataclass(frozen=True)
class Reader:
    """How the rows of a table become X and y."""

    preprocessing: Preprocessing
    target: Target

    def features(self, frame: pd.DataFrame, say: Say) -> Array:
        """X (n_samples, n_features) of float32."""
        X = self.preprocessing.features(frame)
        for note in self.preprocessing.unknown(frame):
            say(note)
        return X

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return {"columns": self.preprocessing.to_list(), "target": self.target.to_dict()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Reader:
        """What `to_dict` described; KeyError, TypeError or ValueError for anything else."""
        return cls(Preprocessing.from_list(values["columns"]), Target.from_dict(values["target"]))


@dataclass(frozen=True)
class Model:
    """A network, and how tables are read for it; `arrays` and `about`: all that its file holds."""

    network: Network
    reader: Reader
    arrays: dict[str, Array]
    about: dict[str, Any]

    @classmethod
    def load(cls, path: str | Path) -> Model:
        name = str(path)
        arrays, about = read(path)
        network = Network._restored(arrays, about, name)
        if "table" not in about:
            raise ModelFileError(
                f"{name!r} holds a network, but not how to read tables: train with fastnn train"
            )
        try:
            reader = Reader.from_dict(about["table"])
            sizes = reader.preprocessing.n_features, reader.target.n_out
            if sizes != (network.n_in, network.n_out) or reader.target.output != network.activations[-1]:
                raise ValueError("its columns do not fit its network")
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ModelFileError(f"{name!r} is not a whole model: {error}") from None
        return cls(network, reader, arrays, about)

    def predict(self, frame: pd.DataFrame, say: Say) -> pd.DataFrame:
        """A row of predictions for each row of the table."""
        import pandas as pd

        outputs = self.network.predict(self.reader.features(frame, say))
        return pd.DataFrame(self.reader.target.predictions(outputs))

    def evaluate(self, frame: pd.DataFrame, say: Say) -> tuple[int, dict[str, float]]:
        """The number of rows whose target is known, and the scores on them."""
        frame = known_rows(frame, self.reader.target.name, say)
        X, y = self.reader.features(frame, say), self.reader.target.codes(frame[self.reader.target.name])
        return len(X), scores(self.network, self.reader.target, X, y)


def known_rows(frame: pd.DataFrame, target: str, say: Say) -> pd.DataFrame:
    """The rows that have a target."""
    if target not in frame.columns:
        raise InputError(
            f"there is no column {target!r}; the table has {', '.join(map(repr, frame.columns))}"
        )
    if kind_of(frame[target]) == "nothing":
        raise InputError(f"the target {target!r} is missing in all {len(frame)} rows")
    known = frame[target].notna()
    if not known.all():
        say(f"{(~known).sum():,} of {len(frame):,} rows are left out: their target is missing")
    return frame[known]


def scores(network: Network, target: Target, X: Array, y: Array) -> dict[str, float]:
    """By name; the typical error is the root of the mean of the squares, in the target's unit."""
    cost, score = network.evaluate(X, y)
    result = {target.score_name: score, "cost": cost}
    if target.task == "regression":
        result["typical error"] = target.scale * float(np.sqrt(2 * cost))
    return result
