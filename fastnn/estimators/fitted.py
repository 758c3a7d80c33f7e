"""A fitted estimator: from coefs_ and intercepts_, whoever set them, to outputs and pickles."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from fastnn.data import Array
from fastnn.estimators.parameters import FlatParameters
from fastnn.estimators.prediction import check_indices, forward


class FittedNetwork(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """What works from `coefs_`, `intercepts_`, `activation` and `out_activation_` alone."""

    activation: Any
    n_threads: int | None
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

    def _features(self, X: Any) -> Any:
        """X, checked: dense and C-contiguous, or CSR. What needs no conversion is not looked at twice."""
        if "coefs_" not in self.__dict__:
            check_is_fitted(self)
        if (
            type(X) is np.ndarray
            and X.dtype.char in "fd"
            and X.ndim == 2
            and X.flags.c_contiguous
            and X.shape[0]
            and X.shape[1] == self.n_features_in_
            and "feature_names_in_" not in self.__dict__
        ):
            with np.errstate(over="ignore", invalid="ignore"):
                if np.isfinite(X.sum()):
                    return X
        return validate_data(self, X, accept_sparse="csr", order="C", reset=False)

    def _forward(self, X: Any, output: str | None) -> Array:
        flat = self._parameters()
        single = np.result_type(X.dtype, flat.vector.dtype) == np.float32
        dtype = np.dtype(np.float32 if single else np.float64)
        plan = flat.plan(self.activation, output, dtype.itemsize)
        if issparse(X):
            check_indices(X)
        else:
            X = np.asarray(X, dtype)
        return forward(plan, flat.vector.astype(dtype, copy=False), X, self.n_threads)

    def _outputs(self, X: Any) -> Array:
        """The outputs (n_samples, n_outputs) for X as `_features` returns it."""
        return self._forward(X, self.out_activation_)

    def transform(self, X: Any) -> Array:
        """Extra: the activations of the last hidden layer.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input.

        Returns
        -------
        hidden : ndarray of shape (n_samples, n_hidden)
            What the output layer sees of each row.
        """
        X = self._features(X)
        if len(self.coefs_) < 2:
            raise ValueError("this network has no hidden layer whose activations transform could give")
        return self._forward(X, None)

    @property
    def _n_features_out(self) -> int:
        return int(self.coefs_[-1].shape[0])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def __getstate__(self) -> dict[str, Any]:
        from fastnn import __version__

        state = dict(super().__getstate__())
        for name in ("_flat", "_trainer"):  # the vector once more, and memory to work in
            state.pop(name, None)
        return {**state, "_fastnn_version": __version__}

    def __setstate__(self, state: dict[str, Any]) -> None:
        from fastnn import __version__

        state = dict(state)
        written = state.pop("_fastnn_version", "0")
        if _release(written) > _release(__version__):
            raise ValueError(
                f"this {type(self).__name__} was pickled by fastnn {written}, and this is fastnn "
                f"{__version__}: update fastnn to load it"
            )
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
