"""fastnn: dense neural networks on a CPU, close to the speed of the silicon."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastnn.callbacks import Checkpoint, EarlyStopping
from fastnn.engine import DivergenceError
from fastnn.history import History
from fastnn.network import Network
from fastnn.onnx_export import to_onnx
from fastnn.optimizers import SGD, Adam, AdamW, constant, cosine, step_decay, warm_up
from fastnn.storage import ModelFileError

if TYPE_CHECKING:
    from fastnn.estimators import MLPClassifier, MLPRegressor

__version__ = "0.1.0.dev0"

__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "Checkpoint",
    "DivergenceError",
    "EarlyStopping",
    "History",
    "MLPClassifier",
    "MLPRegressor",
    "ModelFileError",
    "Network",
    "constant",
    "cosine",
    "step_decay",
    "to_onnx",
    "warm_up",
]


def __getattr__(name: str) -> Any:
    """The estimators, when somebody asks for them: they import scikit-learn, which takes a second."""
    if name in ("MLPClassifier", "MLPRegressor"):
        from fastnn import estimators

        return getattr(estimators, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
