"""The class docstrings of this folder."""

FLEET_SEARCH = """Cross-validated search for parameters that trains all candidates on all folds at once.

In place of scikit-learn's `GridSearchCV`, `RandomizedSearchCV` and, with `factor`, its halving searches: the
same results under the same names. Around `MLPClassifier` and `MLPRegressor`, alone or as the last step of a
`Pipeline`, with a solver that takes batches, networks of one shape are trained as fleets. Anything else is
fitted one by one, and a warning says so once.

Parameters
----------
estimator : estimator
    What to search the parameters of.
param_distributions : dict or list of dict
    For each parameter's name a list of values or, with `n_candidates`, a distribution with a method `rvs`.
n_candidates : int or None, default=None
    How many candidates to draw, as `RandomizedSearchCV` draws them. None for all combinations, as
    `GridSearchCV` takes them.
cv : int, splitter or iterable, default=5
    The folds.
scoring : str, callable, list, tuple, dict or None, default=None
    What candidates are compared by: see `GridSearchCV`.
factor : float above 1 or None, default=None
    Successive halving over epochs: all candidates are trained for a few epochs, the best one in `factor` goes
    on from there for `factor` times as many in all, and so on to the estimator's `max_iter`. No epoch is
    trained twice.
n_jobs : int or None, default=None
    Processes, or with `joblib.parallel_config` workers elsewhere, among which fleets are spread. One process
    uses all cores already. The results do not depend on it.
refit : bool, str or callable, default=True
    Whether, or by which score, to fit the best candidate to all rows in the end.
random_state : int, RandomState instance or None, default=None
    Source of the draws of `n_candidates`.
verbose : int, default=0
    From 1 on, how many fits there will be is printed.
pre_dispatch : int or str, default='2*n_jobs'
    Of joblib.
error_score : 'raise' or float, default=nan
    The score of a candidate on a fold where its fit fails; the others are not touched by that.
return_train_score : bool, default=False
    Whether to score the rows that were trained on, too.

Attributes
----------
cv_results_ : dict of str to array
    As scikit-learn's. The time of a fit is its share of that of all that were trained with it. With `factor`
    there are the columns `iter` and `n_resources`: the rung, and the epochs in all.
best_estimator_ : estimator
    Fitted to all rows; only with `refit`, like all that follow but `n_splits_`.
best_score_ : float
    The mean score of the best candidate; with `factor` of those of the last rung.
best_params_ : dict
    Its parameters.
best_index_ : int
    Its row in `cv_results_`.
scorer_ : callable or dict
    What the candidates are compared by.
n_splits_ : int
    Folds.
refit_time_ : float
    Seconds that the last fit took.
multimetric_ : bool
    Whether there are several scores.
n_candidates_, n_resources_ : list of int
    With `factor`: the candidates of each rung, and their epochs in all.
n_iterations_ : int
    With `factor`: the rungs.

Examples
--------
>>> from fastnn import MLPClassifier
>>> from fastnn.search import FleetSearchCV
>>> from sklearn.datasets import load_iris
>>> X, y = load_iris(return_X_y=True)
>>> network = MLPClassifier(8, learning_rate_init=0.01, max_iter=400, random_state=0)
>>> search = FleetSearchCV(network, {"alpha": [0.0001, 0.1], "activation": ["relu", "tanh"]}).fit(X, y)
>>> search.cv_results_["mean_test_score"].shape
(4,)
"""

_BAG = """{first}

{kind}s of one shape that differ in their initial weights, their orders of rows and, with `bootstrap`, in the
rows that they are fitted to. They are trained together, as a fleet.

Parameters
----------
n_members : int, default=16
    How many there are.
estimator : {kind} or None, default=None
    What a member is, but for its `random_state`; None for the defaults. Its solver takes batches.
bootstrap : bool, default=True
    Whether each member is fitted to as many rows as there are, drawn with replacement; else to all rows.
oob_score : bool, default=False
    Whether to score the rows by the members that have not seen them.
n_jobs : int or None, default=None
    Processes, or with `joblib.parallel_config` workers elsewhere, among which members are spread. One process
    uses all cores already. The results do not depend on it.
random_state : int, RandomState instance or None, default=None
    Source of the members' seeds.

Attributes
----------
estimators_ : list of {kind}
    The members. One whose training diverged is left out, and a warning says so.
estimators_samples_ : list of ndarray or None
    The numbers of each member's rows.
oob_score_ : float
    {score} of the rows out of the bags; only with `oob_score`, like the next one.
{own}
n_features_in_ : int
    Columns of X.
feature_names_in_ : ndarray of shape (n_features_in_,)
    Names of the columns, if X had names that are all strings.

Examples
--------
{example}"""

BAGGED_CLASSIFIER = _BAG.format(
    first="A bag of MLPClassifiers, whose probabilities are averaged.",
    kind="MLPClassifier",
    score="Accuracy",
    own="""oob_decision_function_ : ndarray of shape (n_samples, n_classes)
    The mean probabilities by members that have not seen the row.
classes_ : ndarray of shape (n_classes,)
    The labels.""",
    example=""">>> from fastnn import MLPClassifier
>>> from fastnn.search import BaggedMLPClassifier
>>> from sklearn.datasets import load_iris
>>> X, y = load_iris(return_X_y=True)
>>> member = MLPClassifier(8, learning_rate_init=0.01, tol=1e-3, max_iter=1000)
>>> bag = BaggedMLPClassifier(8, estimator=member, random_state=0).fit(X, y)
>>> bag.predict_proba(X[:2]).shape
(2, 3)
""",
)
BAGGED_REGRESSOR = _BAG.format(
    first="A bag of MLPRegressors, whose predictions are averaged.",
    kind="MLPRegressor",
    score="R2",
    own="""oob_prediction_ : ndarray of shape (n_samples,) or (n_samples, n_outputs)
    The mean prediction by members that have not seen the row.""",
    example=""">>> from fastnn import MLPRegressor
>>> from fastnn.search import BaggedMLPRegressor
>>> from sklearn.datasets import make_regression
>>> X, y = make_regression(200, 4, random_state=0)
>>> member = MLPRegressor(hidden_layer_sizes=8, learning_rate_init=0.05, tol=1, max_iter=1000)
>>> mean, std = BaggedMLPRegressor(8, estimator=member, random_state=0).fit(X, y).predict(X, return_std=True)
>>> std.shape
(200,)
""",
)
