"""fastnn: dense neural networks on a CPU, close to the speed of the silicon."""

from fastnn.callbacks import Checkpoint, EarlyStopping
from fastnn.engine import DivergenceError
from fastnn.history import History
from fastnn.network import Network
from fastnn.optimizers import SGD, Adam, AdamW, constant, cosine, step_decay, warm_up
from fastnn.storage import ModelFileError

__version__ = "0.1.0.dev0"

__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "Checkpoint",
    "DivergenceError",
    "EarlyStopping",
    "History",
    "ModelFileError",
    "Network",
    "constant",
    "cosine",
    "step_decay",
    "warm_up",
]
