"""
To ONNX, and on without fastnn
==============================

Export a classifier to ONNX and run it without fastnn: writes iris.onnx.

``python examples/onnx_export.py [max_iter]``
"""

import sys

import numpy as np
import onnxruntime
from sklearn.datasets import load_iris

from fastnn import MLPClassifier, to_onnx

max_iter = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
X, y = load_iris(return_X_y=True)
names = load_iris().target_names[y]
model = MLPClassifier((16,), activation="gelu", learning_rate_init=0.01, max_iter=max_iter, random_state=0)
model.fit(X, names)
to_onnx(model, "iris.onnx", dtype="float32")

# From here on fastnn is not needed, nor is Python: ONNX Runtime speaks C, C#, Java, JavaScript and more.
session = onnxruntime.InferenceSession("iris.onnx")
labels, probabilities = session.run(["label", "probabilities"], {"X": X.astype(np.float32)})
print(f"first flower: {labels[0]}, probabilities {probabilities[0].round(3)}")
print(f"labels equal to those of fastnn: {np.mean(labels == model.predict(X)):.1%}")
print(f"largest difference of a probability: {np.abs(probabilities - model.predict_proba(X)).max():.1e}")
