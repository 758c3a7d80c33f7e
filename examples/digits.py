"""
Digits, and what the first layer looks for
==========================================

Train on small images of digits, and see what the first layer looks for: draws digits.png.

``python examples/digits.py [epochs]``
"""

import sys

from matplotlib import pyplot
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from fastnn import Adam, Network
from fastnn.plots import learning_curves, weight_images

epochs = int(sys.argv[1]) if len(sys.argv) > 1 else 60
X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X / 16, y, stratify=y, random_state=0)

net = Network([64, 36, 10], activation="tanh", output="softmax", seed=0)
history = net.fit(
    X_train, y_train, epochs=epochs, optimizer=Adam(3e-3), l2=2e-3, validation_data=(X_test, y_test)
)
print(f"{history.val_score[-1]:.1%} of the digits it has not seen are right")

figure, (left, right) = pyplot.subplots(1, 2, figsize=(11, 4.5), layout="constrained")
learning_curves(history, left)
weight_images(net, ax=right)
figure.savefig("digits.png")
