"""Fitted estimators of tables as safetensors: parameters of networks, and all else as text in the header."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any, TypeVar

import numpy as np

from fastnn import storage
from fastnn.checks import Array
from fastnn.network import Network
from fastnn.tabular.encoders import are_finite
from fastnn.tabular.preprocessing import Preprocessing

# Attributes that are plain data already.
PLAIN = ("remarks_", "history_", "score_", "n_features_in_", "centre_", "scale_")
# Types of labels.
LABELS = re.compile(r"[<>|=](b1|[iuf][1248]|U\d{1,9}|O)")
T = TypeVar("T")


def save(estimator: Any, path: str | os.PathLike[str], more: Mapping[str, Any] | None = None) -> None:
    """Write it; more: what else the file's description is to hold, for JSON."""
    about = {
        "kind": type(estimator).__name__,
        "parameters": {name: _plain(name, value) for name, value in estimator.get_params().items()},
        "attributes": {name: getattr(estimator, name) for name in PLAIN if hasattr(estimator, name)},
        "preprocessing": estimator.preprocessing_.to_dict(),
        "networks": [network.describe() for network in estimator.networks_],
        "feature_names": list(getattr(estimator, "feature_names_in_", [])),
        "classes": _classes(getattr(estimator, "classes_", None)),
    }
    arrays = {f"params.{i}": network.params for i, network in enumerate(estimator.networks_)}
    arrays["feature_importances"] = estimator.feature_importances_
    storage.write(path, arrays, {"tabular": about, **(more or {})})


def load(cls: type[T], path: str | os.PathLike[str]) -> T:
    arrays, about = storage.read(path)
    return restored([cls], arrays, about, os.fspath(path))


def restored(kinds: list[type[T]], arrays: Mapping[str, Array], about: Mapping[str, Any], name: str) -> T:
    """The estimator, of one of these classes, that is in what the file `name` holds."""
    if "tabular" not in about:
        raise storage.ModelFileError(f"{name!r} holds no model of tables")
    with storage.refusing(f"{name!r} holds no whole model of tables"):
        values = about["tabular"]
        by_name = {cls.__name__: cls for cls in kinds}
        if values["kind"] not in by_name:
            raise ValueError(f"it is a {values['kind']}: load it with that class")
        given = {key: tuple(x) if isinstance(x, list) else x for key, x in values["parameters"].items()}
        estimator = by_name[values["kind"]](**given)
        preprocessing = Preprocessing.from_dict(values["preprocessing"])
        networks = [
            Network.restored({"params": arrays[f"params.{i}"]}, {"network": description}, name)
            for i, description in enumerate(values["networks"])
        ]
        fitted: dict[str, Any] = {"preprocessing_": preprocessing, "networks_": networks}
        classes = _restored_classes(values["classes"])
        if (classes is None) != ("centre_" in values["attributes"]):
            raise ValueError("it has neither classes nor a scale of numbers, or both")
        if classes is not None:
            fitted["classes_"] = classes
        _require_fit(networks, preprocessing, 0 if classes is None else len(classes))
        _require_plain(values["attributes"], preprocessing)
        fitted |= values["attributes"]
        fitted["feature_importances_"] = arrays["feature_importances"]
        if fitted["feature_importances_"].shape != (preprocessing.n_columns,):
            raise ValueError("its importances are not one for each column")
        names = values["feature_names"]
        if not isinstance(names, list) or not all(isinstance(x, str) for x in names):
            raise ValueError("the names of its columns are no texts")
        if names:
            fitted["feature_names_in_"] = np.array(names, object)
        for attribute, value in fitted.items():
            setattr(estimator, attribute, value)
    return estimator


def _require_fit(networks: list[Network], preprocessing: Preprocessing, n_classes: int) -> None:
    """Inputs and outputs of the networks are those of the columns and of the target."""
    n_in = max(1, preprocessing.n_features)
    n_out = n_classes if n_classes > 2 else 1
    output = ("sigmoid" if n_classes == 2 else "softmax") if n_classes else "identity"
    shape = n_in, n_out, output
    if not networks or any((net.n_in, net.n_out, net.activations[-1]) != shape for net in networks):
        raise ValueError("its columns or its classes do not fit its networks")


def _require_plain(attributes: Mapping[str, Any], preprocessing: Preprocessing) -> None:
    """Attributes that are what `fit` leaves there."""
    unknown = sorted(set(attributes) - set(PLAIN))
    if unknown:
        raise ValueError(f"it has an attribute {unknown[0]!r}")
    numbers = [attributes[name] for name in ("centre_", "scale_") if name in attributes]
    if not are_finite(numbers) or len(numbers) == 1 or (numbers and numbers[1] <= 0):
        raise ValueError("its target has no scale")
    if attributes["n_features_in_"] != preprocessing.n_columns or not isinstance(attributes["score_"], float):
        raise ValueError("its score is no number, or its columns are not all there")
    if not all(isinstance(remark, str) for remark in attributes["remarks_"]):
        raise ValueError("its remarks are no texts")
    for told in attributes["history_"]:
        if not all(isinstance(told[name], list) for name in ("cost", "val_cost")):
            raise ValueError("its history has no costs")


def _plain(name: str, value: Any) -> Any:
    """A parameter as JSON has it; a generator of random numbers is not kept."""
    if isinstance(value, np.random.RandomState):
        return None
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            return None  # weights by classes that JSON would turn into texts: they have done their work
        return {key: _plain(name, x) for key, x in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [_plain(name, x) for x in value]
    if isinstance(value, bool | str) or value is None:
        return value
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value)
    raise TypeError(f"{name}={value!r} cannot be written to a file")


def _classes(classes: Array | None) -> dict[str, Any] | None:
    if classes is None:
        return None
    if not all(isinstance(label, str | int | float | bool) for label in classes.tolist()):
        raise TypeError(f"classes {classes.tolist()!r:.80} cannot be written to a file")
    return {"dtype": classes.dtype.str, "values": classes.tolist()}


def _restored_classes(told: Mapping[str, Any] | None) -> Array | None:
    """What `_classes` gave: at least two labels, all different, that can be written."""
    if told is None:
        return None
    values, kinds = told["values"], str | int | float | bool
    if not LABELS.fullmatch(told["dtype"]) or not all(isinstance(x, kinds) for x in values):
        raise ValueError("its classes are no labels")
    dtype = np.dtype(told["dtype"])
    classes = np.array(values, str if dtype.kind == "U" else dtype)  # which may speak of any length
    if classes.ndim != 1 or len(set(classes.tolist())) < max(2, len(values)):
        raise ValueError("its classes are fewer than two, or one is there twice")
    "".join(x for x in classes.tolist() if isinstance(x, str)).encode()
    return classes
