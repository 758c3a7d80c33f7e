"""
Breast cancer, with a Network
=============================

Train a classifier on the breast-cancer data that scikit-learn carries, and say how good it is:
draws curves.png.
"""

from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from fastnn import Adam, Network

X, y = load_breast_cancer(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2, stratify=y, random_state=0)
scaler = StandardScaler().fit(X_train)
X_train, X_test = scaler.transform(X_train), scaler.transform(X_test)

net = Network([30, 128, 1], activation="relu", output="sigmoid", seed=0)
history = net.fit(X_train, y_train, epochs=30, batch_size=32, optimizer=Adam(1e-3), l2=1e-4)
cost, accuracy = net.evaluate(X_test, y_test)
print(f"{len(history)} epochs in {sum(history.seconds):.2f} s; test cost {cost:.3f}, accuracy {accuracy:.1%}")
history.plot().figure.savefig("curves.png")
