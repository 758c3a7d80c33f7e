"""What training with products of bfloat16 comes to, beside float32, and where it pays: the guide's tables.

    python asv_benchmarks/precision.py [quality | pays] [--seeds N] [--write]

For `quality` each network is trained twice for each seed, on the same rows from the same weights. Of the
tables of tables.py, columns of numbers are scaled and texts become columns of zeros and ones.
"""

import argparse
import sys
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.cases import Case
from benchmarks.measure import PAUSE, epoch_seconds, take_turns
from benchmarks.peers import fastnn
from tables import TABLES, columns, load
from views import write_marked

PAGE = Path(__file__).resolve().parents[1] / "docs" / "guide" / "bfloat16.md"
EPOCHS = 10
WIDTHS, BATCHES = (32, 64, 128, 256, 512, 1024), (32, 64, 128, 256)


def of_sklearn(name, kind):
    """A function of a seed: (output, X, y, X held out, y held out) of a data set of scikit-learn."""

    def parts(seed):
        import sklearn.datasets
        from sklearn.model_selection import train_test_split
        from sklearn.preprocessing import scale

        X, y = getattr(sklearn.datasets, f"load_{name}")(return_X_y=True)
        y = scale(y) if kind == "identity" else y
        X, X_held, y, y_held = train_test_split(scale(X), y, random_state=seed, test_size=0.3)
        return kind, X, y, X_held, y_held

    return parts


def enlarged(seed):
    """Digits of 28 x 28 pixels, between those of 8 x 8, with noise."""
    from scipy.ndimage import zoom

    kind, X, y, X_held, y_held = of_sklearn("digits", "softmax")(seed)
    random = np.random.default_rng(seed)

    def large(X):
        pixels = zoom(X.reshape(-1, 8, 8), (1, 3.5, 3.5), order=1).reshape(len(X), 784)
        return pixels + 0.3 * random.standard_normal(pixels.shape)

    return kind, large(X), y, large(X_held), y_held


def of_table(table):
    def parts(seed):
        from sklearn.compose import make_column_transformer
        from sklearn.impute import SimpleImputer
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import LabelEncoder, OneHotEncoder, StandardScaler

        classes, X, y, X_held, y_held = load(table, seed)
        texts, numbers = columns(X)
        encoder = make_column_transformer(
            (OneHotEncoder(handle_unknown="ignore", sparse_output=False, max_categories=30), texts),
            (make_pipeline(SimpleImputer(), StandardScaler()), numbers),
        )
        X, X_held = encoder.fit_transform(X), encoder.transform(X_held)
        if classes:
            labels = LabelEncoder().fit(y)
            return "softmax", X, labels.transform(y), X_held, labels.transform(y_held)
        mean, deviation = y.mean(), y.std()
        return "identity", X, (y - mean) / deviation, X_held, (y_held - mean) / deviation

    return parts


CASES = {
    "digits": ([of_sklearn("digits", "softmax")], (128, 64)),
    "breast cancer": ([of_sklearn("breast_cancer", "sigmoid")], (128, 64)),
    "diabetes": ([of_sklearn("diabetes", "identity")], (128, 64)),
    "784-512-256-10, digits of 28 x 28": ([enlarged], (512, 256)),
    f"{len(TABLES)} real tables, means": ([of_table(table) for table in TABLES], (256, 128)),
}


def trained(parts, hidden, seed):
    """Of float32 and of bfloat16 the final loss, and the score on rows held out: (2, 2)."""
    from fastnn import Adam, Network

    output, X, y, X_held, y_held = parts(seed)
    X, X_held = (np.asarray(x, np.float32) for x in (X, X_held))
    n_out, found = int(y.max()) + 1 if output == "softmax" else 1, []
    for precision in (None, "bfloat16"):
        options = {"output": output, "dtype": "float32", "seed": seed, "precision": precision}
        network = Network([X.shape[1], *hidden, n_out], **options)
        history = network.fit(X, y, epochs=EPOCHS, batch_size=32, optimizer=Adam(1e-3))
        found.append((history.cost[-1], network.evaluate(X_held, y_held)[1]))
    return found


def rows(seeds):
    """For each case: its name, float32's loss, the other as a ratio, scores; means over sets and seeds."""
    for name, (sets, hidden) in CASES.items():
        found = np.array([[trained(parts, hidden, seed) for seed in range(seeds)] for parts in sets])
        exact, rounded = found.mean(axis=1).transpose(1, 0, 2)  # (data sets, 2) each
        loss = np.mean(rounded[:, 0] / exact[:, 0])
        scores = " | ".join(f"{found[:, 1].mean():.4f}" for found in (exact, rounded))
        yield f"| {name} | {exact[:, 0].mean():.4f} | {loss:.4f}x | {scores} |"
        print(f"{name}: loss {loss:.4f}x", file=sys.stderr)


def quality(options):
    yield "| | final loss, float32 | bfloat16 | score, float32 | bfloat16 |"
    yield "|---|---:|---:|---:|---:|"
    yield from rows(options.seeds)


def speedup(width, batch):
    """How many times as long a step of three layers takes in float32, one thread; a median, in turn."""
    case = Case((width, width, width, 10), batch, max(2, int(2e8 / (12 * width**2 * batch))))
    runs = {str(name): fastnn(case, precision=name).run for name in (None, "bfloat16")}
    found = take_turns({name: partial(epoch_seconds, run) for name, run in runs.items()}, pause=PAUSE)
    return np.median(np.divide(found["None"], found["bfloat16"]))


def pays(options):
    yield f"| units a layer | {' | '.join(f'{batch} rows' for batch in BATCHES)} |"
    yield f"|---|{'---:|' * len(BATCHES)}"
    for width in WIDTHS:
        yield f"| {width} | {' | '.join(f'{speedup(width, batch):.2f}x' for batch in BATCHES)} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("table", choices=("quality", "pays"))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--write", action="store_true", help="into the guide")
    options = parser.parse_args()
    table = "\n".join({"quality": quality, "pays": pays}[options.table](options))
    print(table)
    if options.write:
        write_marked(PAGE, options.table, table)


if __name__ == "__main__":
    main()
