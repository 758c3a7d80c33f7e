"""A fitted estimator: from coefs_ and intercepts_, whoever set them, to outputs and pickles."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from fastnn.checks import Array, Csr
from fastnn.estimators.parameters import FlatParameters
from fastnn.estimators.solvers import from_plain, to_plain
from fastnn.storage import ModelFileError, refusing
from fastnn.version import __version__

FLOATS = np.dtype(np.float32), np.dtype(np.float64)  # of this machine's order of bytes


def is_plain_matrix(X: Any) -> bool:
    """Whether X is an array of finite floats that kernels can read, which scikit-learn would not change."""
    if not (type(X) is np.ndarray and X.dtype in FLOATS and X.ndim == 2 and X.flags.c_contiguous and X.size):
        return False
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(X.sum()))


def is_plain_target(y: Any, n_samples: int) -> bool:
    """Whether y is a flat array of whole numbers, or of finite floats, one for each of the samples."""
    if not (
        type(y) is np.ndarray and y.dtype.isnative and y.dtype.char in "?lqiLfd" and y.shape == (n_samples,)
    ):
        return False
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(y.sum()))


class FittedNetwork(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """What works from `coefs_`, `intercepts_`, `activation` and `out_activation_` alone."""

    activation: Any
    solver: str
    n_threads: int | None
    precision: str | None
    n_features_in_: int
    coefs_: list[Array]
    intercepts_: list[Array]
    out_activation_: str

    def _link(self, flat: FlatParameters) -> None:
        """Make `coefs_` and `intercepts_` the views of this vector."""
        self._flat = flat
        self.coefs_, self.intercepts_ = list(flat.coefs), list(flat.intercepts)

    def _parameters(self) -> FlatParameters:
        """The flat parameters, or a packed copy of what a user has put into the lists."""
        flat: FlatParameters | None = self.__dict__.get("_flat")
        if flat is not None and flat.holds(self.coefs_, self.intercepts_):
            return flat
        flat = FlatParameters.packed(self.coefs_, self.intercepts_)
        expected = (self.n_features_in_, self.n_outputs_)
        if (flat.sizes[0], flat.sizes[-1]) != expected:
            raise ValueError(
                f"coefs_ lead from {flat.sizes[0]} to {flat.sizes[-1]} values; expected {expected[0]} "
                f"features and {expected[1]} outputs"
            )
        return flat

    def _is_known(self, X: Any) -> bool:
        """Whether X is a plain array without names, as wide as that of the last fit."""
        named = "feature_names_in_" in self.__dict__
        return not named and is_plain_matrix(X) and X.shape[1] == self.n_features_in_

    def _samples(self, X: Any, y: Any, reset: bool, **more: Any) -> tuple[Any, Any]:
        """X, C-contiguous or CSR, and y, checked as scikit-learn checks them; what is plain once only."""
        if is_plain_matrix(X) and is_plain_target(y, len(X)):
            if reset:
                self.n_features_in_ = X.shape[1]
                self.__dict__.pop("feature_names_in_", None)
            if reset or self._is_known(X):
                return X, y
        return validate_data(
            self, X, y, reset=reset, accept_sparse="csr", multi_output=True, order="C",
            dtype=(np.float64, np.float32), **more,
        )  # fmt: skip

    def _features(self, X: Any) -> Any:
        """X, checked: dense and C-contiguous, or CSR. What needs no conversion is not looked at twice."""
        if "coefs_" not in self.__dict__:
            check_is_fitted(self)
        if self._is_known(X):
            return X
        return validate_data(self, X, accept_sparse="csr", order="C", reset=False)

    def _forward(self, X: Any, output: str | None, twins: Sequence[FittedNetwork]) -> Iterator[Array]:
        """What each of some networks with this one's layers makes of X."""
        each = [twin._parameters() for twin in twins]  # noqa: SLF001
        flat, bfloat16 = each[0], self.precision is not None
        single = bfloat16 or np.result_type(X.dtype, flat.vector.dtype) == np.float32
        dtype = np.dtype(np.float32 if single else np.float64)
        if issparse(X):
            Csr("X", X)  # its indices lead nowhere else
        else:
            X = np.asarray(X, dtype)
        forward = flat.forward(self.activation, output, dtype, bfloat16)
        for own in each:
            yield forward(own.vector.astype(dtype, copy=False), X, self.n_threads)

    def _outputs_of(self, twins: Sequence[FittedNetwork], X: Any) -> Iterator[Array]:
        """The outputs (n_samples, n_outputs) of each of these, for X as `_features` returns it."""
        return self._forward(X, self.out_activation_, twins)

    def _outputs(self, X: Any) -> Array:
        """This network's own."""
        return next(self._outputs_of([self], X))

    def transform(self, X: Any) -> Array:
        """Extra: the activations of the last hidden layer (n_samples, n_hidden), for X (n_samples, n_in).

        Without a hidden layer X itself.
        """
        X = self._features(X)
        if len(self.coefs_) > 1:
            return next(self._forward(X, None, [self]))
        return X.toarray() if issparse(X) else X.astype(np.result_type(X, np.float32), copy=True)

    @property
    def _n_features_out(self) -> int:
        return int(self.coefs_[-1].shape[0])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        # lbfgs gives float64 whatever it is given.
        both = ["float64", "float32"]
        tags.transformer_tags.preserves_dtype = both[:1] if self.solver == "lbfgs" else both
        return tags

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        for name in ("_flat", "_kept"):  # the vector once more, and memory to work in
            state.pop(name, None)
        if "_optimizer" in state:
            state["_optimizer"] = to_plain(state["_optimizer"])
        return {**state, "_fastnn_version": __version__}

    def __setstate__(self, state: dict[str, Any]) -> None:
        with refusing(f"the pickled state of {type(self).__name__} is not whole"):
            state = dict(state)
            written = state.pop("_fastnn_version", "0")
            newer = _release(written) > _release(__version__)
        if newer:
            raise ModelFileError(
                f"this {type(self).__name__} was pickled by fastnn {written}, and this is fastnn "
                f"{__version__}: update fastnn to load it"
            )
        with refusing(f"the pickled state of {type(self).__name__} is not whole"):
            if isinstance(state.get("_optimizer"), dict):
                state["_optimizer"] = from_plain(state["_optimizer"])
        super().__setstate__(state)
        if "coefs_" in state:
            try:
                self._link(FlatParameters.packed(self.coefs_, self.intercepts_))
            except ValueError:
                pass  # a prediction will say what is wrong with them


def _release(version: str) -> tuple[int, ...]:
    """The numbers that begin a version: (1, 2, 0) of 1.2.0.dev3."""
    numbers = re.match(r"[\d.]*", version)
    return tuple(int(part) for part in numbers[0].split(".") if part) if numbers else ()
