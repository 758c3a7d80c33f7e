"""
In place of scikit-learn
========================

Change one import line of scikit-learn code: a pipeline, a grid search, a look at the best model:
draws digits_wrong.png.

``python examples/scikit_learn.py [max_iter]``
"""

import sys

from matplotlib import pyplot
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fastnn import MLPClassifier  # was: from sklearn.neural_network import MLPClassifier

max_iter = int(sys.argv[1]) if len(sys.argv) > 1 else 200
X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)

pipeline = make_pipeline(
    StandardScaler(), MLPClassifier(max_iter=max_iter, early_stopping=True, random_state=0)
)
choices = {
    "mlpclassifier__hidden_layer_sizes": [(32,), (128,), (64, 64)],
    "mlpclassifier__activation": ["relu", "gelu"],  # gelu is an extra: scikit-learn has none
}
search = GridSearchCV(pipeline, choices, cv=3).fit(X_train, y_train)

for parameters, score in zip(
    search.cv_results_["params"], search.cv_results_["mean_test_score"], strict=True
):
    print(f"{score:.1%}  {parameters}")
print(f"the best, trained on all of it, on new digits: {search.score(X_test, y_test):.1%}")

# %%
# The digits that it takes for others.
found = search.predict(X_test)
wrong = (found != y_test).nonzero()[0][:12]
_, axes = pyplot.subplots(2, 6, figsize=(8, 3), layout="constrained", subplot_kw={"xticks": [], "yticks": []})
for row, ax in zip(wrong, axes.flat, strict=False):
    ax.imshow(X_test[row].reshape(8, 8), cmap="gray_r")
    ax.set_title(f"{y_test[row]}, taken for {found[row]}", fontsize="small")
ax.figure.savefig("digits_wrong.png")
