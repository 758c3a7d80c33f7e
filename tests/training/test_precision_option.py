"""precision='bfloat16': prediction, and where the option is taken, kept and refused."""

import pickle
import warnings

import numpy as np
import pytest
import scipy.sparse

from cases import normal
from fastnn import Fleet, Network, precision
from fastnn.reference_training import bfloat16, views
from fastnn_kernels import pairs
from precision_cases import data_of, network_of
from processes import run_apart
from training_cases import untouched

pytestmark = pytest.mark.filterwarnings("ignore:precision='bfloat16' ")


def outputs_in_numpy(network, X):
    for (W, b), name in zip(
        zip(*views(network.params, network.sizes), strict=True), network.activations, strict=True
    ):
        Z = bfloat16(X).astype(float) @ bfloat16(W) + b
        X = {"relu": np.maximum(Z, 0), "tanh": np.tanh(Z), "identity": Z}[name].astype(np.float32)
    return X


@pytest.mark.parametrize("sizes", ((7, 9, 5, 3), (64, 100, 1), (5, 1, 2), (1, 1)))
@pytest.mark.parametrize("rows", (1, 5, 64, 900))
def test_prediction(sizes, rows):
    network, plain = network_of(sizes), network_of(sizes, precision=None)
    X = normal(np.float32, (rows, sizes[0]))
    found = network.predict(X)
    error = abs(found - outputs_in_numpy(network, X))
    assert np.median(error) < 1e-6 and error.max() < 2e-3
    np.testing.assert_array_equal(plain.predict(X, precision="bfloat16"), found)
    np.testing.assert_array_equal(network.predict(X, precision="float32"), plain.predict(X))
    assert (found != plain.predict(X)).any()
    np.testing.assert_array_equal(network.predict(X[:1]), found[:1])  # few rows and many
    np.testing.assert_allclose(network.predict(scipy.sparse.csr_array(X)), found, 3e-2, 1e-2)  # in float32


def test_changed_parameters_are_seen():
    network, X = network_of(), normal(np.float32, (4, 5))
    before = network.predict(X)
    network.weights[0][:] *= 2
    assert (network.predict(X) != before).any()


def test_validation_scores_are_those_of_predictions():
    network = network_of(output="softmax")
    X, Y = data_of(network, 90)
    history = network.fit(X, Y, epochs=2, validation_data=(X, Y))
    cost, score = network.evaluate(X, Y)
    assert (history.val_cost[-1], history.val_score[-1]) == (cost, score)
    assert score == (network.predict(X).argmax(axis=1) == Y.argmax(axis=1)).mean()


# What it says and keeps


def test_the_default_is_the_type_of_the_numbers():
    for dtype in ("float32", "float64"):
        network = Network([3, 1], dtype=dtype)
        assert network.precision == network.describe()["precision"] == dtype
        assert Network([3, 1], dtype=dtype, precision=dtype).precision == dtype


@pytest.mark.parametrize(
    "value", ("float16", "bf16", 16, True, ["bfloat16"], np.float32, np.array(["bfloat16"] * 2))
)
def test_other_values_are_refused(value):
    with pytest.raises(ValueError, match=r"precision=.*; give 'bfloat16', or None"):
        Network([3, 1], precision=value)
    with pytest.raises(ValueError, match=r"precision=.*; give 'bfloat16', or None"):
        Network([3, 1]).predict(np.ones((1, 3)), precision=value)


def test_float64_is_refused():
    with pytest.raises(ValueError, match="goes with float32, not float64: give dtype='float32'"):
        Network([3, 1], dtype="float64", precision="bfloat16")
    with pytest.raises(ValueError, match="goes with float32, not float64"):
        Network([3, 1], dtype="float64").predict(np.ones((1, 3)), precision="bfloat16")
    with pytest.raises(AttributeError, match="precision cannot be set"):
        Network([3, 1]).precision = "bfloat16"


def test_files_pickles_and_checkpoints_keep_it(tmp_path):
    network, path = network_of(), tmp_path / "net.safetensors"
    X, Y = data_of(network, 60)
    network.fit(X, Y, epochs=4, checkpoint=path)
    network.save(tmp_path / "saved.safetensors")
    for twin in (
        Network.load(tmp_path / "saved.safetensors"),
        pickle.loads(pickle.dumps(network)),
        Network.load(path),
    ):
        assert twin.precision == "bfloat16"
        np.testing.assert_array_equal(twin.predict(X), network.predict(X))
    untouched(
        network_of(precision=None), ValueError, "precision: 'bfloat16', not 'float32'", X, Y, resume=path
    )
    first, whole = network_of(), tmp_path / "whole.safetensors"
    first.fit(X, Y, epochs=2, checkpoint=whole)
    second = network_of()
    second.fit(X, Y, epochs=4, resume=whole)
    np.testing.assert_array_equal(second.params, network.params)


def test_a_description_from_before_there_was_a_precision_is_float32():
    network = Network([3, 4, 1], seed=0)
    about = network.describe()
    del about["precision"]
    assert Network.restored({"params": network.params}, {"network": about}, "old").precision == "float32"


def test_fleets_refuse_it():
    with pytest.raises(ValueError, match="without precision='bfloat16'"):
        Fleet.of([network_of(), network_of()])
    assert Fleet.of([network_of(precision=None)])[0].precision == "float32"


def test_it_is_said_once(monkeypatch):
    monkeypatch.setattr(precision, "_told", set())
    with pytest.warns(
        UserWarning, match="in float32 from rounded numbers|gains nothing for|does not permit"
    ) as told:
        Network([5, 1], precision="bfloat16")
        network_of().predict(np.ones((1, 5)), precision="bfloat16")
    assert [warning.filename for warning in told] == [__file__]


@pytest.mark.parametrize(
    "units, tiles, sizes, expected",
    (
        ((), False, (200, 200), "in float32 from rounded numbers"),
        (("AVX512-BF16",), False, (5, 1), "a network of 5 weights; from about 8,192 on it does"),
        (("AVX512-BF16",), False, (90, 90, 10), None),
        (("AVX512-BF16", "AMX"), False, (90, 90, 10), "the system does not permit the tiles of AMX"),
        (("AVX512-BF16", "AMX"), True, (90, 90, 10), None),
    ),
)
def test_what_is_said_follows_from_the_cpu_and_the_size(monkeypatch, units, tiles, sizes, expected):
    dots = "AVX512-BF16" in units
    monkeypatch.setattr(precision, "BFLOAT16_UNITS", units)
    monkeypatch.setattr(precision, "_told", set())
    monkeypatch.setattr(precision, "DOTS_OF_PAIRS", dots)
    monkeypatch.setattr(precision, "tiles_permitted", lambda: tiles)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        precision.say_once(sizes, 1)
    assert [str(x.message) for x in told] == [] if expected is None else expected in str(told[0].message)
    said = precision.about_this_cpu()
    assert ("products of tiles by AMX" in said, "products of pairs" in said) == (tiles, dots and not tiles)


class Refusing:
    """A C library whose system says no."""

    def __init__(self, name):
        pass

    def syscall(self, *numbers):
        return -1


def without_tiles():
    warnings.simplefilter("ignore")
    pairs.ctypes.CDLL = Refusing
    results = []
    for kind in "bfloat16", None:
        network = network_of((100, 100, 3), precision=kind)
        X, Y = data_of(network, 64)
        network.fit(X, Y, epochs=2)
        results.append(network.params)
    assert not pairs.tiles_permitted() and "tiles" not in precision.about_this_cpu()
    assert 0 < abs(results[0] - results[1]).max() < 0.02


@pytest.mark.slow
def test_a_system_that_permits_no_tiles():
    """Nothing else changes: registers take over."""
    run_apart(without_tiles)
