"""
A run that goes on after a power cut
====================================

Callbacks, early stopping, and a run that goes on after it was cut off: writes run.safetensors.

``python examples/checkpoints.py [epochs]``
"""

import sys

from sklearn.datasets import load_diabetes
from sklearn.preprocessing import scale

from fastnn import Adam, Checkpoint, EarlyStopping, Network, cosine

epochs = int(sys.argv[1]) if len(sys.argv) > 1 else 200
X, y = load_diabetes(return_X_y=True)
y = scale(y)


def report(run):
    """Called after each epoch; what it returns ends the run if it is true."""
    if run.epoch % 10 == 0:
        print(f"epoch {run.epoch}: cost {run.history.cost[-1]:.4f}, R2 {run.history.val_score[-1]:.3f}")


def power_cut(run):
    return run.epoch == epochs // 2


def train(callbacks, **more):
    net = Network([10, 32, 32, 1], activation="silu", dropout=0.1, seed=0)
    history = net.fit(
        scale(X),
        y,
        epochs=epochs,
        optimizer=Adam(cosine(1e-3, epochs)),
        validation_split=0.2,
        early_stopping=EarlyStopping(patience=50),
        callbacks=callbacks,
        **more,
    )
    return net, history


train([report, power_cut], checkpoint=Checkpoint("run.safetensors"))
resumed, history = train([report], resume="run.safetensors")
whole, _ = train([])
print(f"stopped: {history.stopped or 'at the last epoch'}")
print(f"the same as without the cut: {(resumed.params == whole.params).all()}")
