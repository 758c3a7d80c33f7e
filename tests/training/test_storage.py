"""Model files: what was saved comes back, all of it or an error; nothing is lost, nothing is run."""

import errno
import json
import os
import pickle
import random
import sys
import threading

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from fastnn import ModelFileError, Network, storage
from fastnn_kernels.activations import ACTIVATIONS
from mutations import mutated
from processes import network, run_apart

HIDDEN = tuple(name for name in ACTIVATIONS if name != "softmax")
ARCHITECTURES = (
    *({"sizes": [3, 5, 2], "activation": name} for name in HIDDEN),
    {"sizes": [3, 2]},
    {"sizes": [1, 1], "output": "sigmoid"},
    {"sizes": [3, 4, 5, 2], "activation": ["tanh", "gelu"], "dropout": [0.1, 0.0], "output": "softmax"},
    {"sizes": [3, 4, 2], "output": "exp", "dropout": 0.25, "seed": 12345678901234567890},
    {"sizes": [3, 4, 2], "output": "tanh", "cost": "huber", "huber_threshold": 0.3},
    {"sizes": [3, 4, 2], "output": "sigmoid", "cost": "absolute_error", "seed": None},
)


def assert_same(net, other):
    assert net.describe() == other.describe() and net.params.dtype == other.params.dtype
    assert net.params.tobytes() == other.params.tobytes()


@pytest.mark.parametrize("dtype", ("float32", "float64"))
@pytest.mark.parametrize("options", ARCHITECTURES, ids=str)
def test_a_network_comes_back_whole(options, dtype, tmp_path):
    net = Network(**{"seed": 7, **options}, dtype=dtype)
    net.params[:] = np.random.default_rng(1).standard_normal(net.params.size)
    net.params[:2] = np.nextafter(net.dtype.type(0), net.dtype.type(1)), -0.0
    net.epochs_trained = 17
    net.save(tmp_path / "a.safetensors")
    loaded = Network.load(str(tmp_path / "a.safetensors"))
    assert_same(net, loaded)
    assert all(np.shares_memory(W, loaded.params) for W in (*loaded.weights, *loaded.biases))


def test_what_is_loaded_predicts_and_trains_on_as_the_original(tmp_path):
    net, X = network(), np.random.default_rng(0).standard_normal((60, 5)).astype(np.float32)
    net.fit(X, X[:, 0] > 0, epochs=2, threads=1)
    net.save(tmp_path / "a")
    loaded = Network.load(tmp_path / "a")
    assert np.array_equal(net.predict(X), loaded.predict(X))
    for each in (net, loaded):
        each.fit(X, X[:, 0] > 0, epochs=2, threads=1)
    assert_same(net, loaded)


def test_other_tools_can_read_the_file(tmp_path):
    net, path = network(), tmp_path / "a.safetensors"
    net.save(path)
    assert np.array_equal(load_file(path)["params"], net.params)
    with safe_open(path, framework="numpy") as file:
        assert json.loads(file.metadata()["about"])["network"] == net.describe()


class Crash(BaseException):
    """The worst kind of exception."""


@pytest.mark.parametrize(
    "error", (OSError(errno.ENOSPC, "No space left on device"), Crash(), KeyboardInterrupt())
)
@pytest.mark.parametrize("place", ("save", "os.fsync", "os.replace"))
def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(place, error, tmp_path, monkeypatch):
    old = network()
    old.save(tmp_path / "a")

    def fail(*_, **__):
        raise error

    owner, _, name = f"fastnn.storage.{place}".rpartition(".")
    with monkeypatch.context() as patch:
        patch.setattr(f"{owner}.{name}", fail)
        with pytest.raises(type(error)):
            network(seed=2).save(tmp_path / "a")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert_same(old, Network.load(tmp_path / "a"))


@pytest.mark.skipif(sys.platform == "win32", reason="files have no limit there")
def test_a_disk_that_fills_up_midway(tmp_path):
    import resource

    old = network()
    old.save(tmp_path / "a")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(OSError):
            network(seed=2).save(tmp_path / "a")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert_same(old, Network.load(tmp_path / "a"))


def test_a_reader_never_sees_a_part_of_a_file(tmp_path):
    """Not while a file is replaced, and not of a network that is trained while it is saved."""
    net, path, errors = network(), tmp_path / "a", []
    net.save(path)
    done = threading.Event()

    def scribble():
        while not done.is_set():
            net.params += 1

    def read():
        try:
            while not done.is_set():
                Network.load(path)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=target) for target in (scribble, read)]
    for thread in threads:
        thread.start()
    for _ in range(20):
        net.save(path)
    done.set()
    for thread in threads:
        thread.join()
    assert not errors


@pytest.mark.skipif(sys.platform == "win32", reason="links and permissions are others there")
def test_a_link_is_followed_and_the_umask_is_kept(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "a")
    before = os.umask(0o027)
    try:
        network().save(tmp_path / "link")
    finally:
        os.umask(before)
    assert (tmp_path / "link").is_symlink() and (tmp_path / "a").stat().st_mode & 0o777 == 0o640


class Bomb:
    def __reduce__(self):
        return os.mkdir, ("exploded",)


OTHER_FILES = {
    "empty": b"",
    "one byte": b"\0",
    "zeros": bytes(8),
    "text": b"sizes: 3 4 1\n" * 9,
    "pickle": pickle.dumps(Bomb()),
    "npy": b"\x93NUMPY" + bytes(99),
    "zip": b"PK\x03\x04" + bytes(99),
}


@pytest.mark.parametrize("contents", OTHER_FILES.values(), ids=OTHER_FILES)
def test_another_kind_of_file_is_refused(contents, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a").write_bytes(contents)
    with pytest.raises(ModelFileError, match="'a' is not a whole fastnn file"):
        Network.load("a")
    assert not (tmp_path / "exploded").exists()


def test_what_is_no_file_of_ours_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no file 'nowhere'"):
        Network.load("nowhere")
    with pytest.raises(IsADirectoryError, match="is a folder"):
        Network.load(tmp_path)
    for metadata in (None, {"format": "pt"}):
        save_file({"params": np.zeros(3, np.float32)}, tmp_path / "theirs", metadata)
        with pytest.raises(ModelFileError, match="a safetensors file, but not of fastnn"):
            Network.load(tmp_path / "theirs")
    storage.write(tmp_path / "other", {"params": np.zeros(3)}, {"tabular": {}, "table": {}})
    with pytest.raises(ModelFileError, match="no fastnn network, but 'tabular, table': load it"):
        Network.load(tmp_path / "other")
    with pytest.raises(FileNotFoundError, match=r"nowhere/a': there is no folder '.*nowhere'"):
        Network([2, 1]).save(tmp_path / "nowhere" / "a")


def test_a_newer_version_is_refused_with_advice(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(storage, "VERSION", 2)
        network().save(tmp_path / "a")
    with pytest.raises(ModelFileError, match="has version 2, newer than 1: update fastnn"):
        Network.load(tmp_path / "a")


def load_mutated(path, number):
    """Load `number` spoilt files: each comes back as it was, or is refused, and takes next to no memory."""
    net = network()
    net.save(path)
    with open(path, "rb") as file:
        whole = file.read()
    arrays, about = storage.read(path)
    limited, loaded, refused = sys.platform == "linux", 0, 0
    if limited:
        import resource

        with open("/proc/self/statm") as file:
            in_use = int(file.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (in_use + (256 << 20), resource.RLIM_INFINITY))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for seed in range(number):
        rng = random.Random(seed)
        spoilt = mutated(whole, arrays, about, rng)
        with open(path, "wb") as file:
            file.write(spoilt)
        try:
            result = Network.load(path)
        except ModelFileError as error:
            assert 10 < len(str(error)) and repr(str(path)) in str(error), (seed, error)
            refused += 1
        except BaseException as error:
            raise AssertionError(f"file {seed} is neither loaded nor refused") from error
        else:
            assert result.params.tobytes() == net.params.tobytes() and result.sizes == net.sizes, seed
            loaded += 1
    assert loaded + refused == number and refused > 0.8 * number, (loaded, refused)
    if limited:
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak
        assert grown < 64 << 10, f"{grown} KiB more than before"


@pytest.mark.slow
def test_ten_thousand_spoilt_files(tmp_path):
    run_apart(load_mutated, str(tmp_path / "a"), 10_000)
