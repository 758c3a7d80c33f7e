"""What `fit` refuses, before any work: it leaves the network as it was, and says what is wrong."""

import os

import numpy as np
import pytest

from fastnn import Adam, Checkpoint, EarlyStopping
from training_cases import make_data, make_network, untouched

BAD_EPOCHS = -1, True, 1.5, None, 10**400


@pytest.mark.parametrize(
    "options, match",
    [
        *(
            ({"batch_size": x}, f"batch_size={x!r} must be a whole number of at least 1")
            for x in (0, True, 2.5)
        ),
        *(({"batch_size": x}, "batch_size=.* must be a whole") for x in (-1, "32", np.nan, [32])),
        *(({"epochs": x}, "epochs=.* must be a whole number of at least 0") for x in BAD_EPOCHS),
        *(({"l2": x}, "l2=.* must be a number of at least 0") for x in (-1, np.nan, np.inf, True, "1", None)),
        *(({"clip_norm": x}, "clip_norm=.* must be a number above 0") for x in (0, -1, np.nan, np.inf, "1")),
        *(({"label_smoothing": x}, "label_smoothing=.* and below 1") for x in (-0.1, 1, np.nan, None)),
        ({"label_smoothing": 0.1}, "label_smoothing goes with the costs binary_cross_entropy, softmax"),
        *(
            ({"threads": x}, "threads=.* must be a whole number .*, or 'auto'")
            for x in (0, -1, True, 1.5, 9999)
        ),
        ({"threads": "all"}, "threads='all' must be"),
        *(({"validation_split": x}, "validation_split=.* and below 1") for x in (-0.1, 1, 1.5, np.nan, "a")),
        ({"validation_split": 0.001}, "leaves no rows on one side"),
        ({"validation_split": 0.999}, "leaves no rows on one side"),
        ({"validation_split": 0.2, "validation_data": ([[1]], [1])}, "not both"),
        ({"validation_data": np.ones((3, 7))}, r"must be a tuple \(X, y\)"),
        ({"validation_data": (np.ones((3, 7)),)}, r"must be a tuple \(X, y\)"),
        ({"validation_data": (np.ones((3, 6)), np.ones((3, 3)))}, "validation_data: X has 6 columns"),
        ({"validation_data": (np.ones((3, 7)), np.ones((2, 3)))}, "validation_data: y has 2 rows"),
        ({"optimizer": "rmsprop"}, "unknown optimizer 'rmsprop': expected sgd, adam, adamw"),
        ({"optimizer": Adam}, "unknown optimizer"),
        ({"early_stopping": 0}, "patience=0 must be a whole number of at least 1"),
        *(({"early_stopping": x}, "patience=.* must be a whole") for x in ("5", 2.5)),
        ({"early_stopping": True}, "early_stopping=True; give a patience such as 10"),
        ({"class_weight": {0: 2}}, "class_weight needs classes"),
        ({"shuffle": "no"}, "shuffle='no' must be True or False"),
        ({"progress": 1}, "progress=1 must be True or False"),
    ],
)
def test_refused_options(options, match):
    network = make_network()
    untouched(network, ValueError, match, *make_data(network), **options)


def test_refused_callbacks():
    network = make_network()
    for callbacks in (print, [1], None, "abc"):
        untouched(network, TypeError, "must be a list of functions", *make_data(network), callbacks=callbacks)
    told, rule = "give EarlyStopping as early_stopping=", [EarlyStopping()]
    untouched(network, TypeError, told, *make_data(network), callbacks=rule)
    untouched(network, TypeError, "unexpected keyword argument 'epoch'", *make_data(network), epoch=3)
    untouched(network, TypeError, "str, bytes or os.PathLike", *make_data(network), checkpoint=5)
    untouched(network, FileNotFoundError, "no folder", *make_data(network), checkpoint="no/such/folder")
    if os.path.exists("/dev/null"):
        untouched(network, FileExistsError, "is a device", *make_data(network), checkpoint="/dev/null")
    for wrong in (0, -1, True, 1.5):
        with pytest.raises(ValueError, match="every=.* must be a whole number of at least 1"):
            Checkpoint("here", every=wrong)
    for wrong in (-1, np.nan, "a"):
        with pytest.raises(ValueError, match="min_delta=.* must be a number"):
            EarlyStopping(min_delta=wrong)


@pytest.mark.parametrize("output", ("sigmoid", "softmax"))
@pytest.mark.parametrize(
    "class_weight, match",
    [
        ("balance", "'balance'; give 'balanced' or a dict"),
        ([1, 2], "give 'balanced' or a dict"),
        ({"cat": 1}, r"has the keys \['cat'\]; the classes are 0 to "),
        ({-1: 1, 0: 2}, r"has the keys \[-1\]"),
        ({3: 1}, r"has the keys \[3\]"),
        ({0: -1}, "class_weight=-1 must be a number of at least 0"),
        ({0: np.nan}, "class_weight=nan must be"),
        ({0: "a"}, "class_weight='a' must be"),
        ({0: 0, 1: 0, 2: 0}, "zero for all classes|has the keys"),
    ],
)
def test_refused_class_weights(output, class_weight, match):
    network = make_network((7, 4, 1 if output == "sigmoid" else 3), output=output)
    X, Y = make_data(network, indices=True)
    untouched(network, ValueError, match, X, Y, class_weight=class_weight)


def test_class_weights_need_classes():
    several_labels = make_network(output="sigmoid")
    untouched(
        several_labels, ValueError, "needs classes", *make_data(several_labels), class_weight="balanced"
    )
    network = make_network((7, 4, 1), output="sigmoid")
    X, Y = make_data(network)
    only = {"class_weight": {0: 0}, "sample_weight": 1 - Y[:, 0]}
    untouched(network, ValueError, "the weights are zero for all samples", X, Y, **only)


def test_a_split_needs_weights_on_both_sides():
    network = make_network((4, 3, 2), output="softmax")
    X, y = np.random.default_rng(0).standard_normal((8, 4)), np.arange(8) == 7
    weights = {"class_weight": {0: 0.0, 1: 1.0}, "validation_split": 0.3}
    untouched(network, ValueError, "only rows of weight zero on one side", X, y.astype(int), **weights)
