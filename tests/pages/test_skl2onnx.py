"""skl2onnx converts our estimators wherever they stand, and to_onnx takes pipelines by its way."""

import subprocess
import sys
import warnings

import numpy as np
import onnxruntime
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import StackingRegressor, VotingClassifier
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier as TheirClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

import fastnn
from fastnn import MLPClassifier, MLPRegressor, to_onnx

skl2onnx = pytest.importorskip("skl2onnx")
X = np.random.default_rng(0).standard_normal((120, 4))
EXTRAS = {"activation": ["gelu", "silu"], "dropout": 0.1, "solver": "adamw", "class_weight": "balanced"}
CLASSES = {
    "two numbers": [3, 7],
    "two strings": ["no", "yes, \u00e9"],
    "booleans": [False, True],
    "floats": [0.0, 2.0, 5.0],
    "three strings": ["a", "bb", ""],
}


def fitted(estimator, X, y):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return estimator.fit(X, y)


def run(proto, inputs):
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, inputs), strict=True))


def close(actual, wanted):
    np.testing.assert_allclose(actual, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("classes", CLASSES.values(), ids=CLASSES)
def test_a_classifier_with_extras_in_a_pipeline(classes, dtype):
    y = np.asarray(classes)[np.arange(120) % len(classes)]
    pipe = fitted(make_pipeline(StandardScaler(), MLPClassifier((6, 5), max_iter=5, **EXTRAS)), X, y)
    outputs = run(to_onnx(pipe, dtype=dtype), {"X": X.astype(dtype)})
    assert outputs["probabilities"].dtype == dtype
    close(outputs["probabilities"], pipe.predict_proba(X))
    labels = pipe.predict(X)
    assert outputs["label"].tolist() == (labels if labels.dtype.kind == "U" else labels.astype(int)).tolist()


def test_labels_that_skl2onnx_does_not_have():
    pipe = fitted(make_pipeline(StandardScaler(), MLPClassifier(4, max_iter=2)), X, np.array([0, 1] * 60))
    pipe[-1].classes_ = np.array([0.5, 1.5])
    with pytest.raises(ValueError, match="skl2onnx has labels that are whole numbers or strings"):
        to_onnx(pipe)


def test_zipmap_is_the_users_choice():
    pipe = fitted(make_pipeline(StandardScaler(), MLPClassifier(4, max_iter=2)), X, np.array(["u", "v"] * 60))
    rows = X[:3].astype("float32")
    zipped = run(skl2onnx.to_onnx(pipe, rows), {"X": rows})["output_probability"]
    assert [set(row) for row in zipped] == [{"u", "v"}] * 3
    plain = run(skl2onnx.to_onnx(pipe, rows, options={"zipmap": False}), {"X": rows})
    close(plain["probabilities"], pipe.predict_proba(rows))


def test_several_labels_at_once():
    pipe = fitted(make_pipeline(StandardScaler(), MLPClassifier(6, max_iter=9)), X, X[:, :3] > 0)
    proto = to_onnx(pipe)
    outputs = run(proto, {"X": X.astype("float32")})
    np.testing.assert_array_equal(outputs["label"], pipe.predict(X))
    close(outputs["probabilities"], pipe.predict_proba(X))
    assert len(proto.graph.output[0].type.tensor_type.shape.dim) == 2


@pytest.mark.parametrize("n_out", [1, 2])
def test_a_regressor_in_a_pipeline(n_out):
    y = X[:, 0] if n_out == 1 else X[:, :2]
    options = {name: value for name, value in EXTRAS.items() if name != "class_weight"}
    model = MLPRegressor(hidden_layer_sizes=(6, 5), max_iter=5, **options)
    pipe = fitted(make_pipeline(StandardScaler(), model), X, y)
    close(run(to_onnx(pipe), {"X": X.astype("float32")})["variable"], pipe.predict(X).reshape(120, n_out))
    counts = fitted(make_pipeline(StandardScaler(), MLPRegressor("poisson", max_iter=3)), X, np.exp(X[:, 0]))
    close(run(to_onnx(counts), {"X": X.astype("float32")})["variable"][:, 0], counts.predict(X))


COMPOSED = {
    "a search": lambda: GridSearchCV(MLPClassifier(4, max_iter=3), {"alpha": [1e-4, 1]}, cv=2),
    "calibrated": lambda: CalibratedClassifierCV(MLPClassifier(4, max_iter=3), cv=2),
    "a vote": lambda: VotingClassifier(
        [("a", MLPClassifier(4, max_iter=3)), ("b", MLPClassifier((3, 3), max_iter=3, activation="elu")),
         ("c", TheirClassifier(3, max_iter=3)), ("d", LogisticRegression())],
        voting="soft", flatten_transform=False,
    ),
}  # fmt: skip


@pytest.mark.parametrize("build", COMPOSED.values(), ids=COMPOSED)
def test_other_estimators_around_ours(build):
    model = fitted(build(), X, (X[:, 0] > 0).astype(int))
    outputs = run(to_onnx(model), {"X": X.astype("float32")})
    close(outputs["probabilities"], model.predict_proba(X))
    np.testing.assert_array_equal(outputs["label"], model.predict(X))


def test_regressors_stacked():
    stack = StackingRegressor([("a", MLPRegressor(hidden_layer_sizes=4, max_iter=3)), ("b", Ridge())], cv=2)
    model = fitted(stack, X, X[:, 0])
    close(run(to_onnx(model), {"X": X.astype("float32")})["variable"][:, 0], model.predict(X))


def test_a_table_of_numbers_and_texts(tmp_path):
    frame = pd.DataFrame({"width": X[:, 0], "height": np.where(X[:, 1] > 1, np.nan, X[:, 1])})
    frame = frame.astype("float32")  # onnxruntime imputes no float64
    frame["kind"] = np.array(["rod", "disc", "cone"])[np.arange(120) % 3]
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    columns = ColumnTransformer(
        [("n", numbers, ["width", "height"]), ("t", OneHotEncoder(sparse_output=False), ["kind"])]
    )
    pipe = fitted(make_pipeline(columns, MLPClassifier(5, max_iter=5)), frame, frame["width"] > 0)
    proto = to_onnx(pipe, tmp_path / "table.onnx", sample=frame)
    assert (tmp_path / "table.onnx").read_bytes() == proto.SerializeToString()
    inputs = {name: frame[[name]].to_numpy() for name in ("width", "height")}
    outputs = run(proto, inputs | {"kind": frame[["kind"]].to_numpy(dtype=object)})
    close(outputs["probabilities"], pipe.predict_proba(frame))


def test_what_is_refused():
    with pytest.raises(NotFittedError):
        to_onnx(make_pipeline(StandardScaler(), MLPClassifier()))
    pipe = fitted(make_pipeline(StandardScaler(), MLPClassifier(4, max_iter=2)), X, X[:, 0] > 0)
    with pytest.raises(ValueError, match="give dtype= or sample="):
        to_onnx(pipe, dtype="float32", sample=X)
    own = make_pipeline(FunctionTransformer(np.cbrt), MLPClassifier(4, max_iter=2))
    with pytest.raises(Exception, match="FunctionTransformer"):
        to_onnx(fitted(own, X, X[:, 0] > 0))
    target = TransformedTargetRegressor(MLPRegressor(hidden_layer_sizes=3, max_iter=2))
    with pytest.raises(Exception, match="TransformedTargetRegressor"):
        to_onnx(fitted(target, X, X[:, 0]))


def test_registering_twice_changes_nothing():
    fastnn.onnx.register()
    fastnn.onnx.register()
    test_regressors_stacked()


def in_a_new_process(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


ORDERS = {
    "ours first": "import fastnn; fastnn.MLPClassifier; import skl2onnx",
    "theirs first": "import skl2onnx, fastnn; fastnn.MLPClassifier",
    "asked for before": "import fastnn, importlib.util as u; fastnn.MLPClassifier\n"
    "assert u.find_spec('skl2onnx').origin; import skl2onnx",
    "a part of theirs": "import fastnn; fastnn.MLPRegressor; import skl2onnx.common.data_types",
}


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
@pytest.mark.slow
def test_converters_register_by_themselves(order):
    in_a_new_process(
        f"""{order}
import sys
from skl2onnx._supported_operators import sklearn_operator_name_map as names
assert names[fastnn.MLPClassifier] == "FastnnMLPClassifier"
assert names[fastnn.MLPRegressor] == "FastnnMLPRegressor"
assert not any("fastnn" in type(finder).__module__ for finder in sys.meta_path)
assert skl2onnx.__spec__.name == "skl2onnx" and "fastnn" not in type(skl2onnx.__loader__).__module__
"""
    )


@pytest.mark.slow
def test_nothing_is_imported_for_it():
    in_a_new_process(
        "import sys, fastnn; fastnn.MLPClassifier; assert not {'onnx', 'skl2onnx'} & set(sys.modules)"
    )


def test_without_skl2onnx_one_line_says_what_to_install(monkeypatch):
    pipe = fitted(make_pipeline(StandardScaler(), MLPClassifier(4, max_iter=2)), X, X[:, 0] > 0)
    monkeypatch.setitem(sys.modules, "skl2onnx", None)
    with pytest.raises(ImportError, match=r"Pipeline needs skl2onnx: pip install 'fastnn\[onnx\]'"):
        to_onnx(pipe)
