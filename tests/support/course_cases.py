"""What the tests of fastnn.course share: random networks, and their mathematics by fastnn.reference.

The reference has samples in rows, the courses in columns: all goes through transposes.
"""

import numpy as np

from cases import generator, normal
from fastnn import reference

# (n_in, n_out, n_samples): one of each, planar, XOR, widths around the vectors, more than a block of columns.
SHAPES = (
    (1, 1, 1),
    (2, 4, 400),
    (2, 2, 4),
    (4, 1, 400),
    (3, 5, 1),
    (9, 17, 33),
    (30, 16, 455),
    (16, 8, 1025),
    (7, 1, 513),
    (300, 20, 31),
)
FORMS = ("float64", "float32", "list", "int", "fortran", "readonly", "strided", "big_endian")


def layer(shape, dtype=np.float64):
    """A_prev, W, b and dZ."""
    n_in, n_out, n_samples = shape
    A, W = normal(dtype, (n_in, n_samples), "A"), normal(dtype, (n_out, n_in), "W") / dtype(np.sqrt(n_in))
    return A, W, normal(dtype, (n_out, 1), "b"), normal(dtype, (n_out, n_samples), "dZ")


def network(sizes, n_samples, dtype=np.float64):
    """X (n_in, n_samples), labels Y (n_out, n_samples), and the parameters W1, b1, ..."""
    X, parameters = normal(dtype, (sizes[0], n_samples), "X"), {}
    for i, (n_in, n_out) in enumerate(zip(sizes, sizes[1:], strict=False), 1):
        parameters[f"W{i}"] = normal(dtype, (n_out, n_in), i) / dtype(np.sqrt(n_in))
        parameters[f"b{i}"] = 0.1 * normal(dtype, (n_out, 1), i)
    return X, generator(sizes).integers(0, 2, (sizes[-1], n_samples)).astype(dtype), parameters


def expected(X, Y, parameters, activations):
    """(all A with X first, all Z, mean cost, gradients by name) in float64."""
    depth = len(parameters) // 2
    weights, biases = ([np.float64(parameters[f"{c}{i}"]).T for i in range(1, depth + 1)] for c in "Wb")
    rows, labels = np.float64(X).T, np.float64(Y).T
    Z, A = reference.forward(rows, weights, biases, activations)
    costs, dW, db = reference.gradients(
        rows, labels, weights, biases, activations, "binary_cross_entropy", scale=1 / len(rows)
    )
    grads = {f"dW{i}": x.T for i, x in enumerate(dW, 1)} | {f"db{i}": x[:, None] for i, x in enumerate(db, 1)}
    return [a.T for a in A], [z.T for z in Z], costs.mean(), grads


def descended(X, Y, parameters, activations, rate, steps):
    """The parameters after so many steps by the reference, and the costs before each."""
    parameters, costs = dict(parameters), []
    for _ in range(steps):
        _, _, cost, grads = expected(X, Y, parameters, activations)
        costs.append(cost)
        parameters = {name: value - rate * grads[f"d{name}"] for name, value in parameters.items()}
    return parameters, costs


def numeric_gradient(function, array, step=1e-6):
    """Central differences of function() by each element of `array`, which it reads."""
    result = np.empty_like(array)
    for index in np.ndindex(array.shape):
        kept = array[index]
        array[index] = kept + step
        above = function()
        array[index] = kept - step
        result[index] = (above - function()) / (2 * step)
        array[index] = kept
    return result


def as_form(array, form):
    """The same numbers (rounded for "int") in another type or layout."""
    if form == "list":
        return array.tolist()
    if form == "int":
        return np.rint(array).astype(np.int64)
    if form == "fortran":
        return np.asfortranarray(array)
    if form == "readonly":
        array = array.copy()
        array.flags.writeable = False
        return array
    if form == "strided":
        return np.repeat(np.repeat(array, 2, 0), 3, 1)[::2, ::3]
    return array.astype({"big_endian": ">f8"}.get(form, form))


def close(actual, wanted, ulps=64):
    """Equal but for roundings in actual's own precision, of numbers of order one."""
    tolerance = ulps * np.finfo(np.asarray(actual).dtype).eps
    np.testing.assert_allclose(actual, wanted, tolerance, tolerance)
