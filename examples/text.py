"""
Texts as a sparse matrix
========================

Classify texts: a sparse matrix of word weights is trained on as it is, and never made dense.

``python examples/text.py [max_iter]``
"""

import sys

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import train_test_split

from fastnn import MLPClassifier

max_iter = int(sys.argv[1]) if len(sys.argv) > 1 else 100
rng = np.random.default_rng(0)

# Texts of 50 words out of 5,000: a few are common, most are rare, and each topic prefers words of its own.
words = np.array([f"word{i}" for i in range(5000)])
topics = rng.dirichlet(1 / np.arange(1, len(words) + 1) ** 0.7, size=4)
y = rng.integers(0, len(topics), 4000)
texts = [" ".join(rng.choice(words, 50, p=0.8 / len(words) + 0.2 * topics[topic])) for topic in y]

X = TfidfVectorizer(dtype=np.float32).fit_transform(texts)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
print(f"{X.shape[0]:,} texts x {X.shape[1]:,} words, of which {X.nnz / np.prod(X.shape):.1%} are not zero")

model = MLPClassifier((64,), max_iter=max_iter, early_stopping=True, random_state=0).fit(X_train, y_train)
print(f"topics right in new texts: {model.score(X_test, y_test):.1%} after {model.n_iter_} epochs")
