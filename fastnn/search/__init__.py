"""Searches and bags: many networks that are trained together."""

from fastnn.search.bagging import BaggedMLPClassifier, BaggedMLPRegressor
from fastnn.search.fleet_search import FleetSearchCV

__all__ = ["BaggedMLPClassifier", "BaggedMLPRegressor", "FleetSearchCV"]

# Where users import them from: what pickles say.
FleetSearchCV.__module__ = BaggedMLPClassifier.__module__ = BaggedMLPRegressor.__module__ = "fastnn.search"
