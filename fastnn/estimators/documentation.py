"""The class docstrings of the two estimators, whose parameters are all but one the same."""

from fastnn.estimators.parameters import EXTRA

_LOSS = """loss : {'squared_error', 'poisson', 'absolute_error', 'huber', 'quantile'}, default='squared_error'
    What is minimised: half the squared error, or half the Poisson deviance of y >= 0, whose output is the
    exponential of what the last layer computes. Extra: the absolute error, which predicts medians, and
    Huber's loss, see `huber_threshold`: both care less for outliers; the pinball loss, see `quantile`.
"""

_PARAMETERS = """hidden_layer_sizes : int or array-like of shape (n_layers - 2,), default=(100,)
    Width of each hidden layer.
activation : str or list of str, default='relu'
    Of the hidden layers: 'identity', 'logistic', 'tanh' or 'relu'. Extra: EXTRA, and a list with a name for
    each hidden layer.
solver : {'lbfgs', 'sgd', 'adam', 'adamw'}, default='adam'
    'lbfgs' takes all rows in every step; the others take batches. Extra: 'adamw', see `weight_decay`.
alpha : float, default=0.0001
    Strength of the L2 penalty of the weights, which is divided by the number (or the summed weights) of
    the rows of a batch.
batch_size : int or 'auto', default='auto'
    Rows of a step; 'auto' is min(200, n_samples). Not for 'lbfgs'.
learning_rate : {'constant', 'invscaling', 'adaptive'}, default='constant'
    For 'sgd': 'invscaling' divides the rate by the number of rows seen to the power of `power_t`; 'adaptive'
    divides it by 5 whenever training would stop for lack of progress, down to 1e-6.
learning_rate_init : float, default=0.001
    The first learning rate. Not for 'lbfgs'.
power_t : float, default=0.5
    Exponent of 'invscaling'.
max_iter : int, default=200
    Most epochs, or iterations of 'lbfgs'.
shuffle : bool, default=True
    Whether the rows come in a new order in each epoch.
random_state : int, RandomState instance or None, default=None
    Source of the initial weights, the split for early stopping and the order of rows. The same number gives
    the same run as scikit-learn's class of this name, up to rounding.
tol : float, default=1e-4
    Training stops when the loss (or the validation score) has not become better by this much for
    `n_iter_no_change` epochs. For 'lbfgs' the largest component of the gradient at which to stop.
verbose : bool, default=False
    Whether to print the loss of each epoch.
warm_start : bool, default=False
    Whether `fit` goes on from the parameters of the last `fit`.
momentum : float, default=0.9
    Of 'sgd', from 0 to 1.
nesterovs_momentum : bool, default=True
    Whether the momentum is Nesterov's.
early_stopping : bool, default=False
    Whether to hold out a part of the rows, to stop when its score no longer rises, and to end with the
    parameters of the best epoch.
validation_fraction : float, default=0.1
    The part that early stopping holds out.
beta_1, beta_2 : float, default=0.9 and 0.999
    Decay of the running means of 'adam' and 'adamw', from 0 to below 1.
epsilon : float, default=1e-8
    What 'adam' and 'adamw' add to the root that they divide by.
n_iter_no_change : int or inf, default=10
    Epochs without progress before training stops.
max_fun : int, default=15000
    Most evaluations of the loss by 'lbfgs'.
"""

_CLASS_WEIGHT = """class_weight : dict, 'balanced' or None, default=None
    Weight of each label, times `sample_weight`; 'balanced' gives each class the same total. For several
    labels a list of dicts.
"""

_HUBER_THRESHOLD = """huber_threshold : float, default=1.0
    Of loss='huber': where the error is larger, the loss grows with it and no longer with its square.
"""

_QUANTILE = """quantile : float or list of float, default=0.5
    Of loss='quantile': what share of y is to be below the prediction. A list in rising order gives an
    output for each, of one number y: their predictions never cross, as they are sorted.
"""

_EXTRAS = """weight_decay : float, default=0.01
    Of 'adamw': the weights shrink by this times the learning rate in each step, besides the penalty `alpha`.
dropout : float or list of float, default=0.0
    Share of the units of each hidden layer that a training step leaves out. Not for 'lbfgs'.
clip_norm : float or None, default=None
    Largest norm of the gradient of a step; a longer one is shortened to it. Not for 'lbfgs'.
scoring : str, callable or None, default=None
    What early stopping goes by: a scorer of scikit-learn, or 'loss'. None is {score}.
coefs_init, intercepts_init : list of arrays or None, default=None
    Initial weights and biases in place of those drawn; the shapes are those of `coefs_` and `intercepts_`.
n_threads : int or None, default=None
    Threads of training and prediction; None takes as many as pay. The results do not depend on it.
precision : 'bfloat16' or None, default=None
    'bfloat16' rounds what is multiplied, in training and prediction, to 8 significant bits, and sums in
    float32. It needs X of float32. Not for 'lbfgs'.
progress : bool, default=False
    Whether to show a progress bar over the epochs.
on_epoch_end : callable, list of callables or None, default=None
    Called after each epoch (or iteration of 'lbfgs') with the estimator; a true result ends the training.
    Callbacks of scikit-learn (`set_callbacks`) work too.
"""

_CLASSES = """classes_ : ndarray or list of ndarray of shape (n_classes,)
    The labels.
"""

_ATTRIBUTES = """loss_ : float
    Loss of the last epoch, penalty included.
best_loss_ : float or None
    Smallest loss of an epoch; None with early stopping. Not for 'lbfgs', like all of the next five.
loss_curve_ : list of float
    Loss of each epoch: the mean over its batches before their updates, penalty included.
validation_scores_ : list of float or None
    Score of the held-out rows after each epoch, if there are any.
best_validation_score_ : float or None
    The highest of them.
validation_loss_curve_ : list of float or None
    Extra: the loss of the held-out rows after each epoch, without the penalty.
t_ : int
    Rows seen so far.
coefs_ : list of ndarray of shape (n_in, n_out)
    Weights of each layer. They may be changed or replaced: predictions follow.
intercepts_ : list of ndarray of shape (n_out,)
    Biases of each layer.
n_features_in_ : int
    Columns of X.
feature_names_in_ : ndarray of shape (n_features_in_,)
    Names of the columns, if X had names that are all strings.
n_iter_ : int
    Epochs, or iterations of 'lbfgs', of the last `fit`.
n_layers_ : int
    Layers, those of the inputs and outputs included.
n_outputs_ : int
    Outputs.
out_activation_ : str
    Activation of the output layer.
"""

_CLASSIFIER_EXAMPLE = """>>> from fastnn import MLPClassifier
>>> from sklearn.datasets import make_classification
>>> X, y = make_classification(n_samples=100, random_state=1)
>>> clf = MLPClassifier(random_state=1, max_iter=300).fit(X, y)
>>> clf.predict_proba(X[:1]).shape
(1, 2)
"""

_REGRESSOR_EXAMPLE = """>>> from fastnn import MLPRegressor
>>> from sklearn.datasets import make_regression
>>> X, y = make_regression(n_samples=200, n_features=20, random_state=1)
>>> regr = MLPRegressor(random_state=1, max_iter=2000, tol=0.1).fit(X, y)
>>> regr.predict(X[:2]).shape
(2,)
"""


def _document(kind: str, first: str, own_extras: str, own_attributes: str, score: str, example: str) -> str:
    return f"""Multi-layer perceptron {kind}: scikit-learn's, on fastnn's kernels.

Parameters, attributes, results and messages are those of `sklearn.neural_network.MLP{kind.capitalize()}`.

Parameters
----------
{first}{_PARAMETERS.replace("EXTRA", ", ".join(map(repr, EXTRA)))}
Other Parameters
----------------
extras : all that follow
    scikit-learn does not have them, they are keyword-only, and their defaults change nothing. Besides, `fit`
    takes X_val, y_val and sample_weight_val, and `transform` gives the activations of the last hidden layer.
{own_extras}{_EXTRAS.format(score=score)}
Attributes
----------
{own_attributes}{_ATTRIBUTES}
Examples
--------
{example}"""


CLASSIFIER = _document("classifier", "", _CLASS_WEIGHT, _CLASSES, "accuracy", _CLASSIFIER_EXAMPLE)
REGRESSOR = _document("regressor", _LOSS, _HUBER_THRESHOLD + _QUANTILE, "", "R2", _REGRESSOR_EXAMPLE)
