"""One network on several ranks of MPI: as one process with the same batches, and all ranks as one."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from fastnn import SGD, Adam, DivergenceError, EarlyStopping, Network
from fastnn.data import as_rows
from fastnn.ranks import Ranks
from processes import MPIEXEC, ranks, run_on_ranks

pytestmark = [ranks, pytest.mark.slow]
ROWS = 31, 58, 7  # of each rank
CASES = {
    "panels": (dict(activation="relu", output="sigmoid"), {}),
    "all optimizer's": (dict(output="sigmoid"), dict(l2=1e-2, clip_norm=0.05, optimizer=SGD(0.1, 0.9))),
    "samples in lanes": (dict(activation="tanh", sizes=(5, 4, 1)), {}),
    "dropout": (
        dict(activation="gelu", output="softmax", sizes=(5, 20, 3), dropout=0.3),
        dict(batch_size=30),
    ),
    "sparse": (dict(sizes=(5, 33, 3)), dict(optimizer=Adam(0.01), l2=1e-3)),
    "segments": (dict(sizes=(5, 64, 64, 1)), dict(batch_size=None)),
    "threads": (
        dict(sizes=(5, 64, 64, 1), output="sigmoid"),
        dict(batch_size=None, threads=2, clip_norm=0.1),
    ),
    "few rows": (dict(output="sigmoid"), dict(batch_size=3)),
}


def data(rank, name, weighted):
    """One rank's rows: X, y and weights."""
    rng, factor = np.random.default_rng(rank), 20 if name in ("segments", "threads") else 1
    n = ROWS[rank] * factor
    X = rng.standard_normal((n, 5))
    y = np.where(X[:, 0] * X[:, 1] > 0, 1, 0)
    if name == "sparse":
        X, y = sparse.csr_array(np.where(X > 0.5, X, 0)), X[:, :3]
    some = rng.random(n) < (1.0 if name == "few rows" else 0.7)  # one process refuses a chunk without weight
    weights = rng.uniform(0, 3, n) * some if weighted else None
    return X, y, weights


def net_of(dtype, sizes=(5, 24, 12, 1), **about):
    return Network(sizes, dtype=dtype, seed=3, **about)


def steps_of(n_ranks, batch_size, name, weighted):
    """The batches of all ranks: what one process is given as chunks of one step each."""
    parts = [data(rank, name, weighted) for rank in range(n_ranks)]
    counts = [len(y) for _, y, _ in parts]
    n_steps = 1 if batch_size is None else -(-sum(counts) // batch_size)
    stack = sparse.vstack if name == "sparse" else np.concatenate
    for step in range(n_steps):
        chosen = [slice(step * n // n_steps, (step + 1) * n // n_steps) for n in counts]
        X, y, weights = (
            [part[kind][rows] for part, rows in zip(parts, chosen, strict=True) if rows.start < rows.stop]
            if parts[0][kind] is not None
            else None
            for kind in range(3)
        )
        batch = (sparse.csr_array(stack(X)) if name == "sparse" else stack(X)), np.concatenate(y)
        yield batch if weights is None else (*batch, np.concatenate(weights))


def agrees_with_one_process(comm):
    for name, (about, options) in CASES.items():
        for dtype, within in (("float32", 2e-5), ("float64", 1e-11)):
            for weighted in (False, True):
                options = {"batch_size": 16, "epochs": 3, "shuffle": False, "threads": 1, **options}
                together, alone = net_of(dtype, **about), net_of(dtype, **about)
                X, y, weights = data(comm.rank, name, weighted)
                history = together.fit(X, y, sample_weight=weights, comm=comm, **options)
                batches = list(steps_of(comm.size, options["batch_size"], name, weighted))
                expected = alone.fit(batches, **{**options, "batch_size": 10_000})
                message = f"{name} {dtype} {weighted}"
                moved = np.abs(alone.params - net_of(dtype, **about).params).max()
                assert np.abs(together.params - alone.params).max() < within * max(moved, 0.1), message
                np.testing.assert_allclose(history.cost, expected.cost, rtol=within, err_msg=message)
                assert len(set(comm.allgather(together.params.tobytes()))) == 1, message
                assert len(set(comm.allgather(tuple(history.cost)))) == 1, message


@pytest.mark.parametrize("n_ranks", (2, 3))
def test_ranks_agree_with_one_process(n_ranks):
    run_on_ranks(n_ranks, agrees_with_one_process, timeout=300)


def same_bits(comm, path):
    """Shuffled rows, chunks of which ranks have not the same number, and held-out rows."""
    X, y, weights = data(comm.rank, "", True)
    net = net_of("float32", output="sigmoid")
    stop = EarlyStopping(5)
    net.fit(X, y, epochs=5, sample_weight=weights, comm=comm, validation_split=0.2, early_stopping=stop)
    chunks = [(X[::2], y[::2]), (X[1::2], y[1::2]), (X, y, weights)][: 1 + comm.rank]
    history = net.fit(chunks, epochs=5, comm=comm, batch_size=16)
    Path(f"{path}{comm.rank}").write_bytes(net.params.tobytes() + json.dumps(history.cost).encode())


def test_the_bits_repeat_and_are_those_of_all_ranks(tmp_path):
    for name in "one", "two":
        run_on_ranks(3, same_bits, str(tmp_path / name))
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1
    assert len(list(tmp_path.iterdir())) == 6


def decisions(comm):
    rng = np.random.default_rng(comm.rank)
    X = rng.standard_normal((60, 5))
    seen = []

    def stop(run):
        seen.append(run.epoch)
        return comm.rank == 1 and run.epoch == 4

    net = net_of("float64")
    history = net.fit(X, X[:, 0], epochs=9, comm=comm, callbacks=[stop], validation_split=0.25)
    assert seen == [1, 2, 3, 4] and history.stopped == "a callback stopped it after epoch 4"
    assert len(set(comm.allgather((tuple(history.val_cost), tuple(history.val_score))))) == 1

    noise = rng.standard_normal(60)
    net = net_of("float64")
    history = net.fit(X, noise, epochs=99, comm=comm, early_stopping=2, validation_data=(X, noise[::-1]))
    ends = comm.allgather((len(history), history.stopped, net.params.tobytes()))
    assert len(set(ends)) == 1 and history.stopped == "no better cost in 2 epochs"


def test_ranks_decide_together():
    run_on_ranks(2, decisions)


def scores(comm):
    """Those of the rows of all ranks."""
    rng = np.random.default_rng(0)
    X, weights = rng.standard_normal((40, 5)), rng.uniform(0, 1, 40)
    mine = slice(comm.rank, None, comm.size)
    add = Ranks(comm).sum
    for about, y in (
        (dict(sizes=(5, 3), output="softmax"), rng.integers(0, 3, 40)),
        (dict(sizes=(5, 2), output="sigmoid"), rng.integers(0, 2, (40, 2))),
        (dict(sizes=(5, 2)), rng.standard_normal((40, 2))),
        (dict(sizes=(5, 1)), np.full(40, 1e300)),
        (dict(sizes=(5, 1)), np.ones(40)),
    ):
        net = net_of("float64", cost="absolute_error" if y.max() > 1e9 else None, **about)
        for w in (None, weights):
            whole = cost_of(net, X, y, w)
            part = cost_of(net, X[mine], y[mine], None if w is None else w[mine], add)
            np.testing.assert_allclose(part, whole, rtol=1e-12)


def cost_of(net, X, y, weights, *add):
    rows = as_rows(net.task, (X, y, weights))
    return net.cost_and_score(rows, 1, *add)


def test_scores_are_of_the_rows_of_all_ranks():
    run_on_ranks(3, scores)


def refusals(comm):
    X, y, _ = data(comm.rank, "", False)
    net = net_of("float32", output="sigmoid")
    before = net.params.copy()

    def refused(kind, text, **options):
        given = {"X": X, "y": y, "comm": comm, "net": net, **options}
        with pytest.raises(kind, match=text):
            given.pop("net").fit(given.pop("X"), given.pop("y"), **given)
        np.testing.assert_array_equal(net.params, before)

    refused(ValueError, "epochs is 3 on rank 0 and 4 on rank 1", epochs=3 + comm.rank)
    refused(ValueError, "batch_size is 32 on rank 0", batch_size=32 + comm.rank)
    refused(ValueError, "optimizer is .* on rank 0", optimizer=Adam(0.1 / (1 + comm.rank)))
    refused(ValueError, "seed is 0 on rank 0 and 1", net=Network([5, 1], output="sigmoid", seed=comm.rank))
    other = net_of("float32", output="sigmoid")
    other.weights[0][0, 0] += comm.rank
    refused(ValueError, "params is .* on rank 0", net=other)
    refused(ValueError, "held-out rows is", validation_data=(X, y) if comm.rank else None)
    refused(ValueError, "sparse", X=sparse.csr_array(X) if comm.rank else X)
    bad = (ValueError, "NaN") if comm.rank else (RuntimeError, "rank 1 cannot train: ValueError: X holds NaN")
    refused(*bad, X=np.where(comm.rank, np.nan, X))
    missing = (FileNotFoundError, "no folder") if comm.rank == 0 else (RuntimeError, "rank 0 cannot train")
    refused(*missing, checkpoint="/nowhere/at/all")
    refused(ValueError, "balanced", class_weight="balanced")
    refused(TypeError, "comm=5 is no communicator of mpi4py", comm=5)
    with pytest.raises(DivergenceError):
        net_of("float32").fit(X, 1e6 * y, comm=comm, optimizer=SGD(1e9))
    net.fit(X, y, comm=comm)  # and nothing of it is left
    assert np.abs(net.params - before).max() > 0


def test_what_one_rank_cannot_do_no_rank_does():
    run_on_ranks(2, refusals)


def one_fails(comm, how):
    X, y, _ = data(comm.rank, "", False)

    def fail(run):
        if comm.rank == 1 and run.epoch == 2:
            if how == "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            raise {"error": RuntimeError, "Ctrl-C": KeyboardInterrupt}[how]("of rank 1")

    net_of("float32").fit(X, y, epochs=100_000, comm=comm, callbacks=[fail])


@pytest.mark.parametrize("how", ("killed", "error", "Ctrl-C"))
def test_one_rank_that_fails_ends_all(how):
    text = run_on_ranks(2, one_fails, how, fails=True)
    assert how == "killed" or ("rank 1 has failed, all 2 are ended" in text and "of rank 1" in text)


FULL = dict(batch_size=None, optimizer="adam", l2=1e-3, validation_split=0.0)


def part_of(comm):
    """This rank's part of 96 rows."""
    X = np.random.default_rng(5).standard_normal((96, 5))
    rank, size = (comm.rank, comm.size) if comm else (0, 1)
    return X[rank::size], (X[:, 0] > 0)[rank::size]


def saves(comm, path):
    """The checkpoint of rank 0, after half of the epochs."""
    place = path if comm.rank == 0 else f"{path}.of another machine"
    net_of("float64", output="sigmoid").fit(*part_of(comm), epochs=10, checkpoint=place, comm=comm, **FULL)
    assert comm.rank == 0 or not Path(place).exists()


def resumes(comm, path, epochs):
    place = path if comm is None or comm.rank == 0 else "not here"
    net = net_of("float64", output="sigmoid")
    history = net.fit(*part_of(comm), epochs=epochs, resume=place, comm=comm, **FULL)
    if comm is None:
        return net, history
    if comm.rank == 0:
        net.save(f"{path}.end")


@pytest.mark.parametrize("n_ranks", (2, 3))
def test_a_checkpoint_resumes_on_another_number_of_ranks(n_ranks, tmp_path):
    path = str(tmp_path / "run")
    run_on_ranks(2, saves, path)
    run_on_ranks(n_ranks, resumes, path, 20)
    resumed, history = resumes(None, path, 20)
    whole = net_of("float64", output="sigmoid")
    expected = whole.fit(*part_of(None), epochs=20, **FULL)
    np.testing.assert_allclose(resumed.params, whole.params, atol=1e-11)
    np.testing.assert_allclose(Network.load(f"{path}.end").params, whole.params, atol=1e-11)
    np.testing.assert_allclose(history.cost, expected.cost, rtol=1e-11)


def test_the_program_of_the_guide_trains_and_goes_on(tmp_path):
    page = Path(__file__).parents[2] / "docs" / "guide" / "ranks.md"
    program = page.read_text().partition("```python\n")[2].partition("```")[0]
    (tmp_path / "train.py").write_text(program)
    command = [MPIEXEC, "-n", "2", sys.executable, str(tmp_path / "train.py")]
    for epochs in "2", "6":
        done = subprocess.run([*command, epochs], cwd=tmp_path, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0 and f"History of {epochs} epochs" in done.stdout, done
    assert Network.load(tmp_path / "network.safetensors").epochs_trained == 6


def parts(comm):
    """Of any numbers of rows."""
    ranks = Ranks(comm)
    for counts, batch_size in (((5, 9), 4), ((1, 100), 7), ((0, 3), 1), ((8, 8), 16), ((3, 3), 100)):
        ends, shares = ranks.batches(list(counts), batch_size)
        assert shares.sum(axis=1).tolist() == list(counts)
        assert len(ends) - 1 == shares.shape[1] == -(-sum(counts) // batch_size)
        assert np.diff(ends).tolist() == shares[comm.rank].tolist()
        assert shares.max(axis=1).tolist() == [-(-n // shares.shape[1]) for n in counts]
        assert (shares.sum(axis=0) <= batch_size + len(counts)).all()
    assert 1 <= ranks.threads(8) <= 8
    mine = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    if all(theirs == mine for theirs in comm.allgather(mine)):
        assert ranks.threads(8) == 8 // comm.size


def test_rows_and_threads_are_shared_out():
    run_on_ranks(2, parts)
