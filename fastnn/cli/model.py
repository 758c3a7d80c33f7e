"""A model's file: what `TabularClassifier.save` writes, and how tables of files are read for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn.checks import Array
from fastnn.cli.columns import DATES, NUMBERS, TEXTS, Rules, read_columns
from fastnn.cli.inputs import TYPES, InputError, Say, some
from fastnn.cli.scores import Report, of_classes, of_numbers
from fastnn.cli.spelling import COMMA, POINT
from fastnn.cli.target import BINARY, MULTI_CLASS, REGRESSION, codes_of, known_rows, numbers_of
from fastnn.storage import ModelFileError, read, refusing
from fastnn.tabular import TabularClassifier, TabularRegressor
from fastnn.tabular.encoders import Dates, Flag, Texts, are_finite
from fastnn.tabular.frames import as_texts
from fastnn.tabular.storage import restored, save

if TYPE_CHECKING:
    import pandas as pd

KINDS: list[type[Any]] = [TabularClassifier, TabularRegressor]
# The rows that a report after a training is of.
HELD_OUT, OUT_OF_BAG, TRAINED_ON = "held-out", "out-of-bag", "trained-on"


@dataclass(frozen=True)
class Model:
    """estimator: fitted on a table without its column `target`.

    habits: how each column of texts was read, by name; na: more marks of missing cells; shares (n_classes,):
    of the classes among the rows that were trained on, none of numbers.
    """

    estimator: Any
    target: str
    habits: Mapping[str, str] = field(default_factory=dict)
    na: tuple[str, ...] = ()
    shares: tuple[float, ...] = ()

    @property
    def task(self) -> str:
        if isinstance(self.estimator, TabularRegressor):
            return REGRESSION
        return BINARY if len(self.estimator.classes_) == 2 else MULTI_CLASS

    @property
    def columns(self) -> list[str]:
        """The names of the columns that it reads."""
        return [encoder.name for encoder in self.estimator.preprocessing_.encoders]

    @property
    def labels(self) -> list[str]:
        """Of its classes, as texts."""
        return [] if self.task == REGRESSION else [str(label) for label in self.estimator.classes_.tolist()]

    def save(self, path: Path) -> None:
        told = {"target": self.target, "habits": dict(self.habits), "na": list(self.na)}
        save(self.estimator, path, {"table": {**told, "shares": list(self.shares)}})

    @classmethod
    def load(cls, path: str | Path) -> Model:
        name = str(path)
        arrays, about = read(path)
        if "tabular" not in about and "table" in about:
            raise ModelFileError(f"{name!r} is a model of an older fastnn train: train it again")
        if not {"tabular", "table"} <= about.keys():
            raise ModelFileError(
                f"{name!r} holds a network, but not how to read tables: train with fastnn train"
                if "network" in about
                else f"{name!r} does not say what column it predicts: train with fastnn train"
            )
        estimator = restored(KINDS, arrays, about, name)
        with refusing(f"{name!r} is not a whole model"):
            told = about["table"]
            model = cls(estimator, told["target"], told["habits"], tuple(told["na"]), tuple(told["shares"]))
            model._require_sense()
        return model

    def _require_sense(self) -> None:
        if not all(isinstance(text, str) for text in (self.target, *self.habits, *self.na)):
            raise ValueError("a name in it is no text")
        if not self.estimator.preprocessing_.named:
            raise ValueError("its columns have no names")
        "".join((self.target, *self.habits, *self.na)).encode()
        if any(how not in (*TYPES, POINT, COMMA) for how in self.habits.values()):
            raise ValueError("it reads columns in ways that there are not")
        if (
            not are_finite(self.shares)
            or len(self.shares) != len(self.labels)
            or min(self.shares, default=1) < 0
        ):
            raise ValueError("its shares are not those of its classes")

    def frame(self, table: pd.DataFrame, rules: Rules, say: Say, *more: str) -> pd.DataFrame:
        """The columns that it reads, and `more`, of a file's table, with cells as it has learnt them."""
        table = table.set_axis([str(name) for name in table.columns], axis=1)
        kinds = {encoder.name: _kind(encoder) for encoder in self.estimator.preprocessing_.encoders}
        if self.task == REGRESSION:
            kinds[self.target] = NUMBERS
        there, asked = set(table.columns), {*self.columns, *more}
        wanted = [name for name in table.columns if name in asked]
        absent = [name for name in self.columns if name not in there]
        if absent:
            raise InputError(
                f"the table has no column {some(absent)}, which the model takes; it has {some(table.columns)}"
            )
        types = {name: kinds[name] for name in wanted if name in kinds}
        rules = replace(rules, na=(*self.na, *rules.na), types=types, habits=self.habits)
        frame, _ = read_columns(table[wanted], rules, say)
        for note in self._unknown(frame):
            say(note)
        return frame

    def _unknown(self, frame: pd.DataFrame) -> list[str]:
        """What is to be said about texts that are none of the categories."""
        notes = []
        for encoder in self.estimator.preprocessing_.encoders:
            if isinstance(encoder, Texts) and encoder.name in frame:
                texts = {text for text in as_texts(frame[encoder.name].to_numpy(object)) if text is not None}
                new = sorted(texts.difference(encoder.categories))
                if new:
                    notes.append(
                        f"column {encoder.name!r} holds {len(new)} texts that the model does not know, "
                        f"such as {new[0]!r:.60}: it takes them as missing"
                    )
        return notes

    def predictions(self, frame: pd.DataFrame, proba: bool) -> pd.DataFrame:
        """A row for each of what `frame` gave: the answer and, if asked for, a probability a class."""
        import pandas as pd

        if self.task == REGRESSION:
            if proba:
                raise InputError(f"{self.target!r} is a number, which has no probability: leave --proba out")
            return pd.DataFrame({"prediction": self.estimator.predict(frame)})
        shares = self.estimator.predict_proba(frame)
        columns = {"prediction": self.estimator.classes_[shares.argmax(axis=1)]}
        if proba:
            columns |= {f"p({label})": shares[:, i] for i, label in enumerate(self.labels)}
        return pd.DataFrame(columns)

    def report(self, table: pd.DataFrame, rules: Rules, say: Say) -> Report:
        """How good it is on the rows of a file's table whose target is known."""
        frame = known_rows(self.frame(table, rules, say, self.target), self.target, say)
        return self.judged(frame, self.truth(frame))

    def truth(self, frame: pd.DataFrame) -> Array:
        """The target (n_samples,): numbers, or places among the classes."""
        cells = frame[self.target].to_numpy(object)
        if self.task == REGRESSION:
            return numbers_of(self.target, cells)
        return codes_of(self.target, cells, self.estimator.classes_)

    def judged(self, frame: pd.DataFrame, truth: Array) -> Report:
        ask = self.estimator.predict if self.task == REGRESSION else self.estimator.predict_proba
        return self.compared(truth, ask(frame))

    def compared(self, truth: Array, answers: Array) -> Report:
        """How good answers are: numbers (n_samples,), or probabilities (n_samples, n_classes)."""
        if self.task == REGRESSION:
            return of_numbers(truth, answers, self.estimator.centre_)
        return of_classes(truth, answers, self.labels, np.array(self.shares))

    def out_of_bag(self, frame: pd.DataFrame) -> tuple[Report, str]:
        """The same of the rows that were trained on, each by the networks that have not seen it."""
        truth, estimator = self.truth(frame), self.estimator
        answers = estimator.oob_prediction_ if self.task == REGRESSION else estimator.oob_decision_function_
        known = ~np.isnan(answers).reshape(len(truth), -1).any(axis=1)
        if known.any():
            return self.compared(truth[known], answers[known]), OUT_OF_BAG
        return self.judged(frame, truth), TRAINED_ON


def _kind(encoder: Any) -> str:
    if isinstance(encoder, Texts):
        return TEXTS
    dates = isinstance(encoder, Dates) or (isinstance(encoder, Flag) and encoder.of == Dates.kind)
    return DATES if dates else NUMBERS


def only(frame: pd.DataFrame, target: str, features: Sequence[str], dropped: Sequence[str]) -> pd.DataFrame:
    """The columns that --features and --drop leave, and the target."""
    names = list(frame.columns)
    for option, given in (("--features", features), ("--drop", dropped)):
        missing = [name for name in given if name not in names]
        if missing:
            raise InputError(f"{option}: there is no column {missing[0]!r}; the table has {some(names)}")
    if target in dropped:
        raise InputError(f"--drop {target!r} is the target; leave it there")
    return frame[[x for x in names if x == target or ((not features or x in features) and x not in dropped)]]


def beside(table: pd.DataFrame, kept: Sequence[str], predictions: pd.DataFrame) -> pd.DataFrame:
    """The columns of a file that --keep names, before the predictions for its rows."""
    import pandas as pd

    for name in kept:
        if name not in table.columns:
            raise InputError(f"--keep: there is no column {name!r}; the table has {some(table.columns)}")
        if name in predictions.columns:
            raise InputError(f"--keep {name!r}: the predictions have a column of that name")
    return pd.concat([table[list(kept)], predictions], axis=1)
