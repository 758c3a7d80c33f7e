"""
Data larger than memory
=======================

A file mapped to memory, and rows that are made as they are needed: neither is ever whole in memory. Draws
streaming.png.

``python examples/streaming.py [epochs]``
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

from fastnn import Adam, Network
from fastnn.plots import learning_curves

epochs = int(sys.argv[1]) if len(sys.argv) > 1 else 8
n_chunks, n_rows, n_features = 20, 5000, 40
truth = np.random.default_rng(0).standard_normal(n_features) / np.sqrt(n_features)


def chunk(number):
    """One part of the stream: from a data base, a queue, or a generator as here."""
    rng = np.random.default_rng([1, number])
    X = rng.standard_normal((n_rows, n_features), dtype="float32")
    return X, np.sin(2 * X @ truth) + 0.1 * rng.standard_normal(n_rows)


def chunks():
    return (chunk(number) for number in range(n_chunks))


# %%
# A function that returns an iterable is asked for one in each epoch.
net = Network([n_features, 64, 64, 1], activation="silu", seed=0)
history = net.fit(chunks, epochs=epochs, batch_size=128, optimizer=Adam(2e-3), validation_data=chunk(999))
print(
    f"{n_chunks * n_rows:,} rows in {n_chunks} chunks: R2 {history.val_score[-1]:.3f} on rows it has not seen"
)
learning_curves(history).figure.savefig("streaming.png")

# %%
# A file that NumPy maps to memory is trained on where it lies.
with tempfile.TemporaryDirectory() as folder:
    file = Path(folder) / "rows.npy"
    X = np.lib.format.open_memmap(file, "w+", np.float32, (n_chunks * n_rows, n_features))
    y = np.empty(len(X), np.float32)
    for number, (rows, targets) in enumerate(chunks()):
        part = slice(number * n_rows, (number + 1) * n_rows)
        X[part], y[part] = rows, targets
    X.flush()
    mapped = np.load(file, mmap_mode="r")
    other = Network([n_features, 64, 64, 1], activation="silu", seed=0)
    other.fit(mapped, y, epochs=epochs, batch_size=128, optimizer=Adam(2e-3))
    print(f"a file of {file.stat().st_size / 1e6:.0f} MB: R2 {other.evaluate(*chunk(999))[1]:.3f}")
    del X, mapped
