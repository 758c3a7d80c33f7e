"""The drop-ins among what people use with them: pickles, searches, pipelines, DataFrames, interrupts."""

import copy
import pickle
import re
import signal
import threading

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import fastnn
from estimator_cases import TARGETS, assert_same, data, pair
from fastnn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def fitted(targets="classes", **options):
    X, y = data(targets)
    return pair(targets, max_iter=5, hidden_layer_sizes=8)[1].set_params(**options).fit(X, y)


def outputs(model, X):
    return model.predict_proba(X) if hasattr(model, "predict_proba") else model.predict(X)


@pytest.mark.parametrize("targets", TARGETS)
def test_pickles_are_whole(targets, tmp_path):
    X, y = data(targets)
    model = fitted(targets)
    joblib.dump(model, tmp_path / "model.joblib")
    copies = [
        pickle.loads(pickle.dumps(model)), copy.deepcopy(model),
        joblib.load(tmp_path / "model.joblib"), joblib.load(tmp_path / "model.joblib", mmap_mode="r"),
    ]  # fmt: skip
    model.partial_fit(X, y)
    for other in copies:
        other.partial_fit(X, y)
        np.testing.assert_array_equal(outputs(other, X), outputs(model, X))


def test_a_pickle_holds_the_parameters_once():
    model = MLPClassifier(1000, max_iter=1).fit(*data("binary"))
    n_params = sum(W.size for W in model.coefs_ + model.intercepts_)
    moments = 2 * n_params  # Adam's
    assert len(pickle.dumps(model)) < 1.1 * 8 * (n_params + moments) + 5000


def test_pickles_of_other_versions():
    state = fitted().__getstate__()
    assert state["_fastnn_version"] == fastnn.__version__
    for version in ("0.0.1", "0.1.0", fastnn.__version__):
        MLPClassifier.__new__(MLPClassifier).__setstate__({**state, "_fastnn_version": version})
    for version in ("0.2.1", "0.3.0.dev0", "10.0"):
        message = f"pickled by fastnn {version}, and this is fastnn {fastnn.__version__}: update fastnn"
        with pytest.raises(ValueError, match=re.escape(message)):
            MLPClassifier.__new__(MLPClassifier).__setstate__({**state, "_fastnn_version": version})


def test_clone_takes_the_parameters_and_nothing_learnt():
    model = fitted(activation=["tanh"], dropout=[0.1], on_epoch_end=print, scoring="accuracy")
    again = clone(model)
    assert again.get_params() == model.get_params() and not hasattr(again, "coefs_")
    given = fitted(coefs_init=[np.ones((6, 8)), np.ones((8, 4))])
    np.testing.assert_array_equal(clone(given).coefs_init[1], np.ones((8, 4)))


@pytest.mark.parametrize("backend", [pytest.param("loky", marks=pytest.mark.slow), "threading"])
def test_search(backend):
    X, y = data("classes")
    grid = {"alpha": [1e-4, 1.0], "hidden_layer_sizes": [(4,), (5, 3)]}
    scores = []
    for model in pair("classes", max_iter=10):
        with joblib.parallel_backend(backend, n_jobs=2):
            scores.append(GridSearchCV(model, grid, cv=3).fit(X, y).cv_results_["mean_test_score"])
    np.testing.assert_array_equal(*scores)


def test_many_threads_at_once():
    X, y = data("classes", n=400)
    expected = MLPClassifier(30, max_iter=8, random_state=1).fit(X, y).coefs_[0]
    fit = joblib.delayed(lambda: MLPClassifier(30, max_iter=8, random_state=1).fit(X, y).coefs_[0])
    for result in joblib.Parallel(4, prefer="threads")(fit() for _ in range(12)):
        np.testing.assert_array_equal(result, expected)


def test_pipelines_and_meta_estimators():
    X, y = data("binary")
    pipelines = [make_pipeline(StandardScaler(), model) for model in pair("binary", max_iter=10)]
    np.testing.assert_array_equal(*(cross_val_score(pipe, X, y, cv=3) for pipe in pipelines))
    assert "MLPClassifier" in pipelines[1]._repr_html_()
    assert pipelines[1].fit(X, y)[-1].transform(X).shape == (90, 100)
    Y = np.stack([y == "yes", X[:, 0] > 0], axis=1).astype(int)
    many = [MultiOutputClassifier(model).fit(X, Y).predict(X) for model in pair("binary", max_iter=10)]
    np.testing.assert_array_equal(*many)


def test_data_frames():
    X, y = data("classes")
    frame = pd.DataFrame(X, columns=list("abcdef"))
    model = MLPClassifier(8, max_iter=5, random_state=1, early_stopping=True, scoring="neg_log_loss")
    model.fit(frame, pd.Series(y), X_val=frame, y_val=pd.Series(y))
    assert list(model.feature_names_in_) == list("abcdef")
    np.testing.assert_array_equal(model.predict(frame), model.predict(frame.astype(object)))
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        model.predict(X)
    with pytest.raises(ValueError, match="The feature names should match"):
        model.predict(frame[list("bacdef")])
    with sklearn.config_context(transform_output="pandas"):
        hidden = model.transform(frame)
        np.testing.assert_array_equal(model.predict_proba(frame).shape, (90, 4))
    assert list(hidden.columns) == [f"mlpclassifier{n}" for n in range(8)]


def test_metadata_routing():
    X, y = data("classes")
    with sklearn.config_context(enable_metadata_routing=True):
        model = MLPClassifier(8, max_iter=3, random_state=1).set_fit_request(
            sample_weight=True, X_val=True, y_val=True
        )
        pipe = make_pipeline(StandardScaler().set_fit_request(sample_weight=False), model)
        pipe.fit(X, y, sample_weight=np.ones(90), X_val=X[:20], y_val=y[:20])
        assert len(pipe[-1].validation_scores_) == 3
        model.set_partial_fit_request(sample_weight=True, classes=True)


def test_any_form_of_the_same_numbers(tmp_path):
    X, y = data("number")
    X = X.round(2)
    expected = MLPRegressor(random_state=1, max_iter=5).fit(X, y).predict(X)
    np.save(tmp_path / "X.npy", X)
    locked = X.copy()
    locked.flags.writeable = False
    forms = [
        np.load(tmp_path / "X.npy", mmap_mode="r"), locked, np.asfortranarray(X), X.tolist(),
        X.astype(object), np.repeat(X, 2, axis=1)[:, ::2], X.astype(">f8"),
        sparse.coo_array(X), sparse.csr_matrix(X),
    ]  # fmt: skip
    wide = sparse.csr_array(X)
    wide.indices, wide.indptr = wide.indices.astype(np.int64), wide.indptr.astype(np.int64)
    for form in [*forms, wide]:
        model = MLPRegressor(random_state=1, max_iter=5).fit(form, y.tolist())
        np.testing.assert_allclose(model.predict(form), expected, rtol=1e-10)
        np.testing.assert_allclose(model.predict(X[:1]), expected[:1], rtol=1e-10)


def test_one_row_and_one_column():
    for X, y in (([[1.0, 2.0]], [3.0]), ([[1.0], [2.0], [4.0]], [1, 0, 1]), ([[1.0]], [1])):
        both = (theirs.fit(X, y).predict(X) for theirs in pair("number", max_iter=5))
        np.testing.assert_allclose(*both, rtol=1e-10)
        assert_same(*(model.fit(X, y) for model in pair("binary", max_iter=5)), X)


def test_predictions_follow_edited_and_replaced_parameters():
    X, _ = data("number")
    expected, ours = (estimator.fit(*data("number")) for estimator in pair("number", max_iter=3))
    own = np.ones_like(ours.coefs_[0])
    for step in range(5):
        for model in (expected, ours):
            if step == 0:
                model.coefs_[0][:, 0] = 7
            elif step == 1:
                model.coefs_[0] = own.copy() if model is expected else own
            elif step == 2:  # the array that was put in, and is still there
                model.coefs_[0][0] = 3
            elif step == 3:
                model.intercepts_ = [b.astype(np.float32) + 1 for b in model.intercepts_]
            else:
                model.partial_fit(*data("number"))
        np.testing.assert_allclose(ours.predict(X), expected.predict(X), rtol=1e-5)
    np.testing.assert_allclose(pickle.loads(pickle.dumps(ours)).predict(X), ours.predict(X))
    ours.set_params(activation="tanh")
    expected.set_params(activation="tanh")
    np.testing.assert_allclose(ours.predict(X), expected.predict(X), rtol=1e-5)


def test_parameters_that_do_not_fit():
    X, y = data("number")
    for name, value, message in (
        ("coefs_", [np.ones((6, 8)), np.ones((7, 1))], "coefs_[1] has shape (7, 1) and intercepts_[1] (1,)"),
        ("coefs_", [np.ones((6, 8))], "coefs_ has 1 arrays and intercepts_ 2"),
        ("coefs_", [np.ones((5, 8)), np.ones((8, 1))], "coefs_ lead from 5 to 1 values; expected 6 features"),
        ("intercepts_", [np.ones(8), np.ones(2)], "coefs_[1] has shape (8, 1) and intercepts_[1] (2,)"),
        ("intercepts_", [np.ones(8), 1.0], "coefs_[1] has shape (8, 1) and intercepts_[1] ()"),
    ):
        model = fitted("number")
        setattr(model, name, value)
        with pytest.raises(ValueError, match=re.escape(message)):
            model.predict(X)
    model = fitted("number", warm_start=True)
    with pytest.raises(ValueError, match=re.escape("layers as wide as (6, 8, 1)")):
        model.set_params(hidden_layer_sizes=9).fit(X, y)
    np.testing.assert_array_equal(model.predict(X), fitted("number").predict(X))


@pytest.mark.parametrize("bad", ["nan", "columns", "one dimension", "empty", "text"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_bad_input_has_scikit_learns_messages(bad, dtype):
    X, y = data("classes", dtype)
    given = {
        "nan": np.where(X == X[4, 2], np.nan, X), "columns": X[:, :4].copy(), "one dimension": X[0],
        "empty": X[:0], "text": [["a"] * 6],
    }[bad]  # fmt: skip
    said = []
    for model in pair("classes", max_iter=2):
        model.fit(X, y)
        for method in (model.predict, model.predict_proba, lambda X, model=model: model.score(X, y)):
            with pytest.raises(ValueError) as caught:
                method(given)
            said.append(str(caught.value))
    assert said[:3] == said[3:]


def test_damaged_sparse_rows():
    X, y = data("number")
    model = fitted("number")
    for name, index, value in (("indices", 3, 6), ("indices", 0, -1), ("indptr", 4, 10**6), ("indptr", 5, 0)):
        given = sparse.csr_array(X)
        getattr(given, name)[index] = value
        for call in (lambda X: model.fit(X, y), model.predict):
            with pytest.raises(ValueError, match="ind"):
                call(given)


def test_unsorted_and_repeated_columns():
    X, y = data("number")
    rows = sparse.coo_array((np.ones(4), ([0, 0, 1, 1], [3, 3, 4, 1])), shape=(2, 6))
    given = sparse.csr_array((np.ones(4), [3, 3, 4, 1], [0, 2, 4]), shape=(2, 6))
    model = fitted("number")
    np.testing.assert_allclose(model.predict(given), model.predict(rows.toarray()))
    both = [estimator.fit(given, y[:2]) for estimator in pair("number", max_iter=5)]
    assert_same(*both, given)


def test_not_fitted():
    for method in ("predict", "predict_proba", "predict_log_proba", "transform"):
        with pytest.raises(NotFittedError, match="This MLPClassifier instance is not fitted yet"):
            getattr(MLPClassifier(), method)([[1.0]])


def test_one_signature_serves_read_only_input():
    X, _ = data("classes")
    model = fitted()
    locked = X.copy()
    locked.flags.writeable = False
    np.testing.assert_array_equal(model.predict_proba(locked), model.predict_proba(X))


@pytest.mark.parametrize("options", [{}, {"early_stopping": True}])
def test_interrupt_keeps_the_weights(options):
    X, y = data("classes", n=2000)
    model = MLPClassifier(64, max_iter=10**6, n_iter_no_change=np.inf, random_state=1, **options)
    timer = threading.Timer(1.0, signal.raise_signal, [signal.SIGINT])
    timer.start()
    with pytest.warns(UserWarning, match="Training interrupted by user"):
        model.fit(X, y)
    timer.join()
    assert 0 < len(model.loss_curve_) <= model.n_iter_ <= len(model.loss_curve_) + 1
    assert np.isfinite(model.predict_proba(X)).all()
    model.set_params(early_stopping=False).partial_fit(X, y)


def test_divergence():
    X, y = data("number")
    model = MLPRegressor(solver="sgd", learning_rate_init=1e3, max_iter=200)
    with pytest.raises(ValueError, match="Solver produced non-finite parameter weights"):
        model.fit(1e3 * X, 1e3 * y)


def test_layout_for_readers_of_weights():
    """Converters for microcontrollers and solvers go by the class's name and these attributes."""
    model = fitted()
    assert type(model).__name__ == "MLPClassifier" and model.out_activation_ == "softmax"
    assert [W.shape for W in model.coefs_] == [(6, 8), (8, 4)]
    assert [b.shape for b in model.intercepts_] == [(8,), (4,)]
    assert all(type(W) is np.ndarray and W.flags.c_contiguous for W in model.coefs_)
    assert model._label_binarizer.y_type_ == "multiclass" and model.activation == "relu"
    assert isinstance(model.coefs_, list) and isinstance(model.intercepts_, list)
