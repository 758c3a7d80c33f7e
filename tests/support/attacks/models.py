"""Attacks on networks, estimators and the course helpers."""

import numpy as np

from attacks.functions import tampered
from attacks.hostile import EVIL, SCALARS, Found, choose, disguise, judged
from fastnn import SGD, Adam, AdamW, InputStage, Network
from fastnn.course import deep, planar, xor
from fastnn.course.two_layer import TwoLayerNetwork
from fastnn_kernels.activations import ACTIVATIONS

SMALL = (1, 2, 3, 5, 8, 9, 17)
ROWS = (1, 2, 3, 7, 8, 9, 16, 33, 65)
HIDDEN = tuple(name for name in ACTIVATIONS if name != "softmax")
OPTIONS = {
    "epochs": (0, 1, 2),
    "batch_size": (None, 1, 5, 64),
    "optimizer": (
        "adam",
        "sgd",
        Adam(1e-2),
        AdamW(1e-3),
        SGD(0.1, momentum=0.9),
        SGD(0.1, 0.9, nesterov=True),
    ),
    "l2": (0.0, 1e-3),
    "clip_norm": (None, 1.0, 1e-30),
    "validation_split": (0.0, 0.3, 0.999),
    "early_stopping": (None, 1, 3),
    "shuffle": (True, False),
    "threads": ("auto", 1, 2),
    "input_stage": (
        None,
        InputStage(),
        InputStage(0.5, [(0, 2)], 1),
        InputStage(1e30, [(1, 7)], 3),
        InputStage(categories=[(3, 1 << 70)]),
    ),
    "class_weight": (None, "balanced", {0: 1.0}, {7: 1.0}, {0: -1.0}, {0: 0.0, 1: 0.0}),
}
# A copy of these would be larger than any memory, and looking at them all takes for ever.
ENDLESS = "huge on paper"
FINITE = {name: form for name, form in EVIL.items() if name != ENDLESS}


def network(random, precisions=(None,)):
    """A small network of any kind, in float32 of one of these precisions."""
    output = choose(random, ("identity", "sigmoid", "softmax", "exp"))
    cost = ACTIVATIONS[output].cost
    if output == "identity":
        cost = choose(random, ("squared_error", "absolute_error", "huber"))
    sizes = [int(n) for n in random.choice(SMALL, int(random.integers(2, 5)))]
    if output == "softmax":
        sizes[-1] = max(2, sizes[-1])
    hidden = choose(random, HIDDEN) if random.random() < 0.3 else choose(random, ("relu", "tanh"))
    dtype, dropout = choose(random, ("float32", "float64")), choose(random, (0.0, 0.0, 0.2))
    precision = choose(random, precisions) if dtype == "float32" else None
    kind = {"activation": hidden, "output": output, "cost": cost, "precision": precision}
    return Network(sizes, **kind, dtype=dtype, dropout=dropout, seed=1)


def data(random, net):
    """X, y and weights that the network can learn from."""
    n = int(choose(random, ROWS))
    X = random.standard_normal((n, net.n_in)).astype(choose(random, (np.float32, np.float64)))
    if net.cost == "softmax_cross_entropy":
        y = random.integers(0, net.n_out, n).astype(X.dtype)
    elif net.cost == "binary_cross_entropy":
        y = random.integers(0, 2, (n, net.n_out)).astype(X.dtype)
    else:
        y = random.poisson(2.0, (n, net.n_out)).astype(X.dtype)
    if net.n_out == 1 and random.random() < 0.5:
        y = y.reshape(n)
    arrays = {"X": X, "y": y}
    if random.random() < 0.4:
        arrays["sample_weight"] = random.uniform(0.5, 2, n).astype(X.dtype)
    return arrays


def state_of(net):
    return lambda: (net.params.tobytes(), net.describe())


def attack_network(random, note):
    """Fit, pass, predict and judge, with hostile arrays and options."""
    net = network(random, (None, "bfloat16"))
    given, said, _ = disguise(random, data(random, net), FINITE)
    what = choose(random, ("fit", "fit", "partial_fit", "predict", "evaluate", "compiled"))
    options = {}
    if what == "fit":
        names = random.choice(list(OPTIONS), 4, replace=False)
        options = {name: choose(random, OPTIONS[name]) for name in names}
        if random.random() < 0.2:
            options[choose(random, OPTIONS)] = choose(random, SCALARS)
        if options.get("threads") not in (None, "auto", 1, 2):
            options["threads"] = 2  # a thousand threads are the user's own wish
    if what == "compiled" and random.random() > 0.02:
        what = "predict"  # numba compiles for seconds
    note(f"{net!r}.{what}: {said} {options}")
    if what in ("predict", "compiled"):
        given = {"X": given["X"]}
        function = net.predict if what == "predict" else net.compiled()
        if what == "compiled" and not isinstance(given["X"], np.ndarray):
            return "refused"
        if what == "compiled" and given["X"].dtype != net.dtype:
            return "refused"  # numba refuses types in its own words
        return judged(lambda: function(given["X"]), given, state_of(net))[0]
    outcome, _ = judged(lambda: getattr(net, what)(**given, **options), given, state_of(net))
    if not np.isfinite(net.params).all():
        raise Found("the parameters are no longer finite")
    return outcome


def together(random, model):
    """A bag or a search of several such estimators."""
    from fastnn.search import BaggedMLPClassifier, BaggedMLPRegressor, FleetSearchCV

    if random.random() < 0.5:
        search = choose(random, ({}, {"factor": 2}))
        return FleetSearchCV(model, {"alpha": [0.1, 1, 2]}, cv=2, error_score="raise", **search)
    kind = BaggedMLPClassifier if hasattr(model, "predict_proba") else BaggedMLPRegressor
    return kind(int(choose(random, (1, 2, 9))), estimator=model, oob_score=bool(random.random() < 0.5))


def attack_estimators(random, note):
    """scikit-learn's interface, dense and CSR; a fitted one is left as it was by a refused prediction."""
    from fastnn import MLPClassifier, MLPRegressor

    cls = choose(random, (MLPClassifier, MLPRegressor))
    n, n_in = int(choose(random, ROWS)) + 4, int(choose(random, SMALL))
    X = random.standard_normal((n, n_in)).astype(choose(random, (np.float32, np.float64)))
    y = random.integers(0, 3, n) if cls is MLPClassifier else random.standard_normal(n)
    solver = choose(random, ("adam", "sgd", "lbfgs"))
    model = cls(hidden_layer_sizes=(int(choose(random, SMALL)),), solver=solver, max_iter=2, random_state=0)
    with_weights = {"sample_weight": random.uniform(0.5, 2, n)} if random.random() < 0.3 else {}
    sparse = random.random() < 0.4
    arrays = {"y": y, **with_weights} if sparse else {"X": X, "y": y, **with_weights}
    given, said, _ = disguise(random, arrays, FINITE)
    if sparse:
        given["X"], way = tampered(random, X.shape, X.dtype.type)
        said = f"CSR {way}, {said}"
    what = choose(random, ("fit", "predict") if solver == "lbfgs" else ("fit", "partial_fit", "predict"))
    if what == "fit" and solver != "lbfgs" and random.random() < 0.4:
        model = together(random, model)
    note(f"{type(model).__name__} of {cls.__name__}, {solver}, {X.shape} {X.dtype}: {what}: {said}")
    given.setdefault("X", X)
    if what == "predict":
        if judged(lambda: model.fit(X, y), {"X": X, "y": y}, dict)[0] == "refused":
            return "refused"
        state = lambda: [c.tobytes() for c in (*model.coefs_, *model.intercepts_)]  # noqa: E731
        return judged(lambda: model.predict(given["X"]), {"X": given["X"]}, state)[0]
    if what == "partial_fit":
        given.pop("sample_weight", None)
        if cls is MLPClassifier:
            return judged(lambda: model.partial_fit(**given, classes=[0, 1, 2]), given, dict)[0]
    quiet = "ignore" if hasattr(model, "param_distributions") else "warn"
    with np.errstate(over=quiet, invalid=quiet):  # in a search scikit-learn's R2 squares what it is given
        return judged(lambda: getattr(model, what)(**given), given, dict)[0]


def helpers(random):
    """name -> (function, arrays): the courses' helpers, with arrays that they take."""
    n_in, n_h, n = (int(x) for x in random.choice((1, 2, 3, 5, 8, 17, 33), 3))
    dtype = choose(random, (np.float32, np.float64))
    normal = lambda *shape: random.standard_normal(shape).astype(dtype)  # noqa: E731
    A, W, b, dA = normal(n_in, n), normal(n_h, n_in), normal(n_h, 1), normal(n_h, n)
    W2, b2, Y = normal(1, n_h), normal(1, 1), random.integers(0, 2, (1, n)).astype(dtype)
    AL = random.uniform(0.1, 0.9, (1, n)).astype(dtype)
    layers = {"W1": W, "b1": b, "W2": W2, "b2": b2}
    packed = lambda p: {key: p[key] for key in layers}  # noqa: E731
    activation = choose(random, ("relu", "sigmoid", "tanh"))
    steps, rate = int(random.integers(0, 4)), float(choose(random, (0.0, 0.1, 1e30)))
    batch = int(random.integers(1, 9))

    def two_layers(X, Y):
        return TwoLayerNetwork(3).fit(X, Y, learning_rate=rate, epochs=steps, batch_size=batch)

    return {
        "deep.sigmoid": (lambda Z: deep.sigmoid(Z), {"Z": dA}),
        "deep.relu_backward": (lambda dA, Z: deep.relu_backward(dA, Z), {"dA": dA, "Z": -dA}),
        "deep.linear_activation_forward": (
            lambda A, W, b: deep.linear_activation_forward(A, W, b, activation), {"A": A, "W": W, "b": b},
        ),
        "deep.linear_backward": (
            lambda dZ, A, W, b: deep.linear_backward(dZ, (A, W, b)), {"dZ": dA, "A": A, "W": W, "b": b},
        ),
        "deep.compute_cost": (lambda AL, Y: deep.compute_cost(AL, Y), {"AL": AL, "Y": Y}),
        "deep.L_model_forward": (lambda X, **p: deep.L_model_forward(X, packed(p)), {"X": A, **layers}),
        "deep.L_layer_model": (
            lambda X, Y: deep.L_layer_model(X, Y, [n_in, 3, 1], rate, steps), {"X": A, "Y": Y},
        ),
        "planar.forward": (lambda X, **p: planar.forward_propagation(X, packed(p)), {"X": A, **layers}),
        "planar.nn_model": (lambda X, Y: planar.nn_model(X, Y, 3, steps), {"X": A, "Y": Y}),
        "planar.predict": (lambda X, **p: planar.predict(packed(p), X), {"X": A, **layers}),
        "xor.affine": (lambda W, X, B: xor.affine(W, X, B), {"W": W, "X": A, "B": b}),
        "xor.forward_loss": (
            lambda X, Y, **p: xor.forward_loss(X, Y, list(packed(p).values())), {"X": A, "Y": Y, **layers},
        ),
        "xor.optimize": (
            lambda X, Y, **p: xor.optimize(X, Y, list(packed(p).values()), rate, steps),
            {"X": A, "Y": Y, **layers},
        ),
        "TwoLayerNetwork.fit": (two_layers, {"X": A.T.copy(), "Y": Y.T.copy()}),
    }  # fmt: skip


def attack_course(random, note):
    """The courses' helpers, which keep no state."""
    functions = helpers(random)
    name = choose(random, functions)
    function, arrays = functions[name]
    given, said, _ = disguise(random, arrays, FINITE)
    shapes = [x.shape for x in arrays.values()]
    note(f"course {name} {shapes}: {said}")
    return judged(lambda: function(**given), given, dict)[0]
