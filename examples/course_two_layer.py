"""
A course: two layers on mini-batches
====================================

The two-layer network of a course on the breast-cancer data: draws two_layer.png.

``python examples/course_two_layer.py [epochs]``
"""

import sys

from fastnn.course.two_layer import TwoLayerNetwork, breast_cancer_data, caculate_accuracy, predict
from fastnn.plots import learning_curves

epochs = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
X_train, X_test, Y_train, Y_test = breast_cancer_data()

network = TwoLayerNetwork(hidden_dim=16, seed=0)
curves = network.fit(X_train, Y_train, X_test, Y_test, learning_rate=0.01, epochs=epochs, batch_size=32)

# The steps of the notebook, one by one: what `fit` runs in compiled code.
A2 = network.forward(X_test)
accuracy = caculate_accuracy(predict(A2), Y_test)
print(f"test cost {network.compute_cost(A2, Y_test):.3f}, accuracy {accuracy:.1%} after {epochs} epochs")

learning_curves(curves).figure.savefig("two_layer.png")
