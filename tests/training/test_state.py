"""What a network lets its user change, and what networks and histories show of themselves."""

import numpy as np
import pytest

from fastnn import History, Network
from training_cases import make_data, make_network


def test_assigning_params_copies_into_the_vector():
    network, other = make_network(), make_network(seed=4)
    vector, weights = network.params, network.weights[0]
    network.params = other.params
    assert network.params is vector and weights.base is not None
    np.testing.assert_array_equal(network.weights[0], other.weights[0])
    other.params[:] = 0
    assert network.params.any()
    network.params = np.arange(vector.size)
    np.testing.assert_array_equal(weights.ravel(), np.arange(weights.size))
    for wrong in (vector[:-1], np.append(vector, 0), 3.0, vector[None]):
        with pytest.raises(ValueError, match=rf"params has shape \(.*\); expected \({vector.size},\)"):
            network.params = wrong
    with pytest.raises(TypeError, match="params has dtype <U1, expected real numbers"):
        network.params = ["a"] * vector.size


def test_weights_and_biases_are_views_that_stay():
    network = make_network()
    for name in ("weights", "biases"):
        assert isinstance(getattr(network, name), tuple)
        with pytest.raises(AttributeError, match=rf"{name} cannot be set: .* net.{name}\[0\]\[:\] = "):
            setattr(network, name, [np.zeros((2, 2))])
        getattr(network, name)[0][:] = 7
    assert (network.params == 7).sum() == network.weights[0].size + network.biases[0].size


@pytest.mark.parametrize(
    ("name", "value"),
    (("sizes", (3, 1)), ("dtype", np.float64), ("activations", ("relu", "exp")), ("cost", "huber"),
     ("dropout", (0.5,)), ("layers", None), ("task", None), ("huber_threshold", 2)),
)  # fmt: skip
def test_the_architecture_is_fixed(name, value):
    network = Network([3, 2, 1])
    with pytest.raises(AttributeError, match=f"{name} cannot be set: it is part of the architecture"):
        setattr(network, name, value)


def test_summary_and_html_of_a_network():
    network = Network([784, 512, 10], output="softmax", dropout=0.5, seed=0)
    shown = repr(network.summary()).splitlines()
    assert shown[1].split() == ["1", "relu", "784", "x", "512", "0.5", "401,920"]
    assert shown[2].split() == ["2", "softmax", "512", "x", "10", "0", "5,130"]
    assert shown[3] == "407,050 parameters, float32, softmax_cross_entropy"
    html = network._repr_html_()
    assert "<td>401,920</td>" in html and "Network([784, 512, 10]" in html


def test_what_a_history_shows():
    network = make_network()
    history = network.fit(
        *make_data(network), epochs=3, validation_split=0.2, callbacks=[lambda run: run.epoch == 2]
    )
    line = repr(history)
    assert "\n" not in line and line.startswith("History of 2 epochs: cost ") and ", val score " in line
    assert line.endswith("; a callback stopped it after epoch 2")
    entries = list(history)
    assert [entry["val_cost"] for entry in entries] == history.val_cost
    assert set(entries[0]) == {"cost", "val_cost", "val_score", "lr", "seconds"}
    html = history._repr_html_()
    assert html.count("<polyline") == 2 and "History of 2 epochs" in html and len(html) < 1000
    assert repr(History()) == "History of 0 epochs: 0 s" and "svg" not in History()._repr_html_()
    long = History(cost=[float(x) for x in range(10**5)] + [np.inf, np.nan])
    assert len(long._repr_html_()) < 10_000
