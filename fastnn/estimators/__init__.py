"""scikit-learn's MLPClassifier and MLPRegressor, on fastnn's kernels."""

from fastnn._skl2onnx import register_on_import
from fastnn.estimators.classifier import MLPClassifier
from fastnn.estimators.regressor import MLPRegressor

__all__ = ["MLPClassifier", "MLPRegressor"]

# Where users import them from: what pickles and lists of trusted types say.
MLPClassifier.__module__ = MLPRegressor.__module__ = "fastnn"
register_on_import(MLPClassifier, MLPRegressor)
