"""scikit-learn's MLPClassifier and MLPRegressor, on fastnn's kernels."""

from fastnn.estimators.classifier import MLPClassifier
from fastnn.estimators.regressor import MLPRegressor

__all__ = ["MLPClassifier", "MLPRegressor"]
