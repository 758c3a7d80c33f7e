"""The docstrings of the two estimators, which share most of their parameters."""

from __future__ import annotations

_PARAMETERS = """
It takes a table as it is: a DataFrame of pandas, polars or pyarrow, an array or a sparse matrix, of numbers,
texts, categories, truth values and dates, with missing values. Nothing has to be scaled, encoded or imputed.
At prediction, columns may stand in another order, and categories may be new. Columns that say nothing (one
value, no value, a number of each row, texts that differ in most rows) are left out; `remarks_` says which.

Several small networks are trained, each judged after every epoch by a part of the rows that the others are
trained on, and the mean of their outputs is the prediction. A setting that is None is the preset's.

Parameters
----------
preset : {{"fast", "default", "best"}} or None, default=None
    One quick network, five, or fifteen larger ones. None is "default" or, with a `time_budget`, the largest
    of the three whose networks there is time for, as a first network tells.
time_budget : float, default=None
    Seconds: networks of the preset's kind are trained until so much time has passed, at least one, however
    many the preset has.
members : int, default=None
    Number of networks. Presets: 1, 5, 15.
hidden_layer_sizes : sequence of int, default=None
    Widths of the hidden layers. Presets: three of 128; best three of 192.
activation : str, default=None
    Of the hidden layers; "auto", the presets', is SELU for classes and Mish for numbers.
epochs : int, default=None
    Passes over the rows. Presets: 10, 16, 24.
min_steps : int, default=None
    Of a small table so many more epochs as give this many steps. Presets: 600, 1000, 1500.
batch_size : int, default=None
    Rows of a step. Presets: 64.
learning_rate : float, default=None
    The highest rate of AdamW; it goes up and down in four waves, each twice as long as the one before.
    A training ends early at the end of a wave that was no better than those before. Presets: 0.004.
beta_2 : float, default=None
    Of AdamW. Presets: 0.95.
weight_decay : float, default=None
    Of AdamW. Presets: 0.02.
dropout : float, default=None
    Share of each hidden layer's units that a step leaves out. Presets: 0.1.
label_smoothing : float, default=None
    Share of each label of classes that is spread over all classes. Presets: 0.
bins : int, default=None
    Quantile bins of a column of numbers: features that say how far each bin is passed. Presets: 16.
waves : int, default=None
    Periodic features of a column of numbers, cosines of random frequency and phase. Presets: 8.
wave_scale : float, default=None
    Standard deviation of these frequencies, in turns in an interquartile range. Presets: 0.1.
scale_rate : float, default=None
    Each feature has a learnt scale, which begins at 1: how many times as fast as weights it learns. 0 is
    none. Presets: 6.
embedding : int, default=None
    Elements of the learnt code of each category, in columns of more than 8 categories; 0 is none: then each
    category has weights of its own. Presets: 8.
embedding_rate : float, default=None
    How many times as fast as weights these codes learn. Presets: 1.
categories : sequence of str or int, default=()
    Columns, by name or position, whose numbers are categories.
{own}n_jobs : int, default=None
    Threads; each trains a network. None is one, -1 is all.
random_state : int, RandomState or None, default=None
    Where rows are drawn and networks begin; with an int all is reproducible, for any n_jobs.
verbose : bool, default=False
    Print what is left out, and a line for each network.

Attributes
----------
{attributes}n_features_in_ : int
    Columns of the table that `fit` was given.
feature_names_in_ : ndarray of str
    Their names, where all of them are texts.
remarks_ : list of str
    What was noticed about the table.
preprocessing_ : Preprocessing
    How columns become numbers, as plain data.
networks_ : list of Network
    The networks of the bag.
history_ : list of dict
    For each network its costs a training epoch, its held-out costs, its best epoch and its seconds.
score_ : float
    {score} on held-out rows, each by the networks that were not trained on it; NaN where none is held
    out. Those rows have chosen the epochs that were kept, so that it is a little too good.
feature_importances_ : ndarray of shape (n_features_in_,)
    How much {importance} loses when a column is shuffled, on held-out rows; of more than a thousand columns,
    neighbours are shuffled at once and share what is lost.

Examples
--------
{example}"""

_CLASS_WEIGHT = """class_weight : dict, "balanced" or None, default=None
    Weight of each class in the cost, times `sample_weight`.
"""
_CLASSIFIER_ATTRIBUTES = """classes_ : ndarray
    The classes, sorted.
oob_decision_function_ : ndarray of shape (n_samples, n_classes)
    Probabilities for the rows of `fit`, each by the networks that were not trained on it; NaN where there
    is none. Not in files.
"""
_REGRESSOR_ATTRIBUTES = """oob_prediction_ : ndarray of shape (n_samples,)
    Numbers for the rows of `fit`, each by the networks that were not trained on it; NaN where there is none.
    Not in files.
"""
_CLASSIFIER_EXAMPLE = """>>> from fastnn import TabularClassifier
>>> ages, sizes = [23.0, None, 47.0, 35.0] * 15, ["small", "large", "large", "small"] * 15
>>> X = [[age, size] for age, size in zip(ages, sizes)]
>>> y = ["no", "yes", "yes", "no"] * 15
>>> model = TabularClassifier(preset="fast", random_state=0).fit(np.array(X, object), y)
>>> model.predict(np.array([[30.0, "small"], [None, "large"]], object)).tolist()
['no', 'yes']
"""
_REGRESSOR_EXAMPLE = """>>> from fastnn import TabularRegressor
>>> X = np.linspace(-3, 3, 200)[:, None]
>>> y = 1000 + 50 * np.sin(X[:, 0])
>>> model = TabularRegressor(random_state=0).fit(X, y)
>>> mean, spread = model.predict(X, return_std=True)  # doctest: +SKIP
>>> model.score_ > 0.95
True
"""

CLASSIFIER = "Classes from a table: networks with a recipe that is accurate without tuning.\n" + (
    _PARAMETERS.format(
        own=_CLASS_WEIGHT,
        attributes=_CLASSIFIER_ATTRIBUTES,
        score="Accuracy",
        importance="the log-likelihood of a row",
        example=_CLASSIFIER_EXAMPLE,
    )
)
REGRESSOR = "Numbers from a table: networks with a recipe that is accurate without tuning.\n" + (
    _PARAMETERS.format(
        own="",
        attributes=_REGRESSOR_ATTRIBUTES,
        score="R2",
        importance="R2",
        example=_REGRESSOR_EXAMPLE,
    )
)
