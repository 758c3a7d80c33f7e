"""load_pipeline: what the command has trained predicts from Python as from the shell, and from ONNX."""

import subprocess
import sys

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest

import fastnn
from command import FEW, little_measuring, mixed_frame, run, succeed  # noqa: F401
from fastnn import ModelFileError, Network, load_pipeline, to_c, to_onnx
from fastnn.cli.tables import Text, read_table


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("pipelines")


def trained(folder, target, frame=None, *options):
    frame = mixed_frame() if frame is None else frame
    data, model = folder / f"{target}.csv", folder / f"{target}.model"
    frame.to_csv(data, index=False)
    succeed("train", data, "--target", target, "--out", model, *FEW, *options)
    return load_pipeline(model), data, model


@pytest.mark.parametrize("target", ["sold", "price", "rooms"])
def test_predictions_are_those_of_the_command(target, folder):
    pipeline, data, model = trained(folder, target)
    run("predict", model, data, "--out", folder / "out.csv", *(() if target == "price" else ("--proba",)))
    wanted, frame = pd.read_csv(folder / "out.csv"), read_table([str(data)], Text(), str).frame
    predictions = pipeline.predict(frame)
    if target == "price":
        assert pipeline.task == "regression" and pipeline.classes_ is None
        np.testing.assert_allclose(predictions, wanted["prediction"])
        truth = frame["price"].astype(float)
        assert abs(predictions.mean() - truth.mean()) < truth.std()
        with pytest.raises(ValueError, match="'price' is a number, which has no probability: call predict"):
            pipeline.predict_proba(frame)
    else:
        assert predictions.tolist() == wanted["prediction"].tolist()
        probabilities = pipeline.predict_proba(frame)
        assert probabilities.shape == (200, len(pipeline.classes_))
        np.testing.assert_allclose(probabilities, wanted.iloc[:, 1:], rtol=1e-6)
        np.testing.assert_array_equal(pipeline.classes_[probabilities.argmax(axis=1)], predictions)
    scores = pipeline.evaluate(frame)
    assert list(scores) == (["R2", "MAE", "RMSE"] if target == "price" else ["accuracy", "log-loss", "AUC"])
    assert target in repr(pipeline) and type(pipeline.estimator).load(model).n_features_in_ == 8
    assert target not in pipeline.columns and "country" not in pipeline.columns


def test_any_frame_with_the_columns(folder):
    pipeline, _, _ = trained(folder, "sold")
    frame = mixed_frame()
    wanted = pipeline.predict_proba(frame)
    other = frame[frame.columns[::-1]].drop(columns=["sold", "code"]).set_index(frame["code"] + " row")
    np.testing.assert_array_equal(pipeline.predict_proba(other), wanted)
    np.testing.assert_array_equal(pipeline.predict_proba(other[10:13]), wanted[10:13])
    with pytest.warns(UserWarning, match="'city' holds 1 texts that the model does not know, such as 'Wien'"):
        pipeline.predict(other.assign(city="Wien"))


def test_what_is_refused(folder, tmp_path):
    pipeline, data, model = trained(folder, "sold")
    frame = mixed_frame()
    for bad, error, message in (
        (frame.drop(columns="size"), ValueError, "the table has no column 'size', which the model takes"),
        (
            frame.assign(size=pd.Timestamp("2024-01-01")),
            ValueError,
            "column 'size' holds dates, and numbers are",
        ),
        (frame.to_dict(), TypeError, "give a pandas DataFrame with the columns by name, not dict"),
        (pd.concat([frame, frame[["size"]]], axis=1), ValueError, "more than one column 'size'"),
    ):
        with pytest.raises(error, match=message):
            pipeline.predict(bad)
    Network([3, 1]).save(tmp_path / "net")
    with pytest.raises(ModelFileError, match="holds a network, but not how to read tables"):
        load_pipeline(tmp_path / "net")
    with pytest.warns(UserWarning, match="size: read as numbers, 200 cells were 'big'"):
        pipeline.predict(frame.assign(size="big"))
    with pytest.raises(TypeError, match="to_c does not take what reads a file's table: give its estimator"):
        to_c(pipeline)
    with pytest.raises(ModelFileError):
        load_pipeline(data)
    with pytest.raises(FileNotFoundError):
        load_pipeline(tmp_path / "none")


def onnx_outputs(proto, frame, columns):
    onnx.checker.check_model(proto, full_check=True)
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    given = {}
    for described in session.get_inputs():
        column = frame[described.name]
        if set(column.dropna()) <= {"True", "False"}:
            column = column.map({"True": 1.0, "False": 0.0})
        if described.type == "tensor(string)":
            given[described.name] = column.fillna("").astype(object).to_numpy()[:, None]
        else:
            given[described.name] = column.astype(float).to_numpy()[:, None]
    assert list(given) == columns
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, given), strict=True))


@pytest.mark.parametrize("target", ["sold", "price", "rooms"])
def test_onnx_reads_the_table(target, folder, tmp_path):
    """A unit of a thousand billions in one column, and one that is called as a node would be."""
    frame = mixed_frame().drop(columns="built").rename(columns={"new": "constant_0"})
    frame["size"] *= 1e12
    pipeline, data, _ = trained(folder, target, frame, "--hidden", "8,8")
    frame = read_table([str(data)], Text(), str).frame
    proto = to_onnx(pipeline, tmp_path / "table.onnx")
    assert onnx.load(tmp_path / "table.onnx") == proto and "constant_0" in pipeline.columns
    outputs = onnx_outputs(proto, frame, pipeline.columns)
    if target == "price":
        assert outputs["variable"].dtype == np.float64
        np.testing.assert_allclose(outputs["variable"][:, 0], pipeline.predict(frame), rtol=1e-6)
    else:
        assert outputs["label"].tolist() == pipeline.predict(frame).tolist()
        np.testing.assert_allclose(
            outputs["probabilities"], pipeline.predict_proba(frame), rtol=1e-4, atol=1e-6
        )


def test_what_onnx_cannot_say_is_refused_by_name(folder):
    pipeline, _, _ = trained(folder, "sold")
    with pytest.raises(ValueError, match="ONNX cannot read dates, and the model takes the column 'built'"):
        to_onnx(pipeline)
    frame = mixed_frame().drop(columns="built").rename(columns={"rooms": "label"})
    named, _, _ = trained(folder, "sold", frame)
    with pytest.raises(
        ValueError, match="an input of ONNX cannot be called 'label': train with another name"
    ):
        to_onnx(named)
    with pytest.raises(ValueError, match="give neither dtype= nor sample="):
        to_onnx(named, dtype="float32")


@pytest.mark.slow
def test_import_leaves_the_command_for_later():
    code = "import sys, fastnn; assert not any(name.startswith('fastnn.cli') for name in sys.modules)"
    subprocess.run([sys.executable, "-c", code + "; fastnn.load_pipeline"], check=True)
    assert fastnn.load_pipeline is load_pipeline
