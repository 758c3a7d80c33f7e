"""fastnn: dense neural networks on a CPU, close to the speed of the silicon."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from fastnn.c_export import to_c
from fastnn.callbacks import Checkpoint, EarlyStopping
from fastnn.fleet import Fleet
from fastnn.history import History
from fastnn.input_stage import InputStage
from fastnn.network import Network
from fastnn.onnx import to_onnx
from fastnn.optimizers import SGD, Adam, AdamW, constant, cosine, step_decay, warm_up
from fastnn.storage import ModelFileError
from fastnn.trainer import DivergenceError
from fastnn.version import __version__ as __version__

if TYPE_CHECKING:
    from fastnn.estimators import MLPClassifier, MLPRegressor
    from fastnn.pipeline import load_pipeline
    from fastnn.tabular import TabularClassifier, TabularRegressor

__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "Checkpoint",
    "DivergenceError",
    "EarlyStopping",
    "Fleet",
    "History",
    "InputStage",
    "MLPClassifier",
    "MLPRegressor",
    "ModelFileError",
    "Network",
    "TabularClassifier",
    "TabularRegressor",
    "constant",
    "cosine",
    "load_pipeline",
    "step_decay",
    "to_c",
    "to_onnx",
    "warm_up",
]

LATER = {
    **dict.fromkeys(("MLPClassifier", "MLPRegressor"), "estimators"),
    **dict.fromkeys(("TabularClassifier", "TabularRegressor"), "tabular"),
    "load_pipeline": "pipeline",
}
MODULES = "course", "datasets", "functional", "plots", "reference", "search"


def __dir__() -> list[str]:
    return __all__


def __getattr__(name: str) -> Any:
    """What is imported when somebody asks for it: estimators import scikit-learn, which takes a second."""
    if name in LATER:
        return getattr(import_module(f"fastnn.{LATER[name]}"), name)
    if name in MODULES:
        return import_module(f"fastnn.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
