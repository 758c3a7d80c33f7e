"""The leaves that move numbers about and add them up."""

import numpy as np

from fastnn_kernels.leaves import leaf


@leaf("gather")
def gather(T):
    """Row i of `to` = row numbers[i] of `source`, rows of so many 4-byte words."""

    def gather(source, words, numbers, rows, to):
        for i in range(rows):
            start = numbers[i] * words
            for j in range(words):
                to[i * words + j] = source[start + j]

    return gather


@leaf("copy_rows")
def copy_rows(T):
    """b[i, :cols] = a[i, :cols], for rows of a_row and b_row elements; the rest of b stays."""

    def copy_rows(a, a_row, rows, cols, b, b_row):
        for i in range(rows):
            for j in range(cols):
                b[i * b_row + j] = a[i * a_row + j]

    return copy_rows


@leaf("total")
def total(T):
    """The sum in float64, in the order of the elements."""

    def total(values, n):
        result = 0.0
        for i in range(n):
            result += np.float64(values[i])
        return result

    return total


@leaf("weigh")
def weigh(T):
    """The sum of the values of these numbers, in float64; 1 if it is zero."""

    def weigh(values, numbers, rows):
        result = 0.0
        for i in range(rows):
            result += np.float64(values[numbers[i]])
        return result if result > 0 else 1.0

    return weigh


@leaf("add")
def add(T):
    """target += source."""

    def add(source, n, target):
        for i in range(n):
            target[i] += source[i]

    return add
