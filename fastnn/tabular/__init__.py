"""Estimators that take tables as they are: TabularClassifier and TabularRegressor."""

from fastnn.tabular.estimators import TabularClassifier, TabularRegressor

__all__ = ["TabularClassifier", "TabularRegressor"]

# Where users import them from: what pickles and lists of trusted types say.
TabularClassifier.__module__ = TabularRegressor.__module__ = "fastnn"
