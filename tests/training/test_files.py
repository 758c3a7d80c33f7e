"""Writing a file: what stands at its name, whose it is, what a killed run leaves, what a system refuses."""

import errno
import os
import signal
import socket
import stat
import subprocess
import sys
import threading

import pytest

from fastnn import Network, files
from fastnn.files import write_bytes
from processes import network, problem

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="files are others there")
root = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may do that")
fails = pytest.mark.parametrize("code", (errno.EINVAL, errno.ENOTSUP, errno.EACCES))


def names(folder):
    return sorted(os.listdir(folder))


def refuse(path, error=FileExistsError, match="is a device, a pipe or a socket; give the name of a file"):
    before = os.lstat(path)
    with pytest.raises(error, match=match):
        network().save(path)
    assert os.lstat(path) == before


def test_a_pipe_and_a_socket_stay_what_they_are(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    refuse(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(tmp_path / "socket"))
        refuse(tmp_path / "socket")
    (tmp_path / "link").symlink_to("pipe")
    refuse(tmp_path / "link")
    refuse(tmp_path, IsADirectoryError, "is a folder")
    assert names(tmp_path) == ["link", "pipe", "socket"]


@root
def test_a_device_stays_what_it_is(tmp_path):
    try:
        os.mknod(tmp_path / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("no devices can be made here")
    refuse(tmp_path / "null")
    assert names(tmp_path) == ["null"]


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="this system has no such folder")
def test_an_open_file_without_a_name_is_not_guessed_at(tmp_path):
    with open(tmp_path / "gone", "wb") as file:
        os.unlink(tmp_path / "gone")
        with pytest.raises(FileExistsError, match="that has no name"):
            write_bytes(f"/proc/self/fd/{file.fileno()}", b"x")
    reader, writer = os.pipe()
    with pytest.raises(FileExistsError, match="a pipe"):
        write_bytes(f"/proc/self/fd/{writer}", b"x")
    os.close(reader), os.close(writer)
    assert names(tmp_path) == []


def test_links_stay_and_what_they_lead_to_is_written(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("folder/c")  # which is not there yet
    for contents in (b"one", b"two"):
        write_bytes(tmp_path / "a", contents)
        assert (tmp_path / "folder" / "c").read_bytes() == contents
    assert (tmp_path / "a").is_symlink() and (tmp_path / "b").is_symlink()
    assert names(tmp_path) == ["a", "b", "folder"] and names(tmp_path / "folder") == ["c"]
    (tmp_path / "round").symlink_to("round")
    with pytest.raises(OSError):
        write_bytes(tmp_path / "round", b"x")


@fails
@pytest.mark.parametrize("call", ("open", "fsync"))
def test_a_folder_that_cannot_be_synced_fails_no_save_and_ends_no_training(call, code, tmp_path, monkeypatch):
    original, refused = getattr(os, call), []

    def refuses_folders(place, *rest, **more):
        if isinstance(place, int):
            folder = stat.S_ISDIR(os.fstat(place).st_mode)
        else:
            folder = os.path.isdir(place)
        if folder:
            refused.append(place)
            raise OSError(code, os.strerror(code))
        return original(place, *rest, **more)

    monkeypatch.setattr(os, call, refuses_folders)
    net, (X, Y) = network(), problem(100)
    history = net.fit(X, Y, epochs=3, checkpoint=tmp_path / "a", threads=1)
    assert len(history) == 3 and history.stopped is None and len(refused) >= 3
    assert Network.load(tmp_path / "a").epochs_trained == 3 and names(tmp_path) == ["a"]


@pytest.mark.parametrize("mode", (0o600, 0o640, 0o400, 0o666))
def test_the_mode_is_kept_and_never_wider_meanwhile(mode, tmp_path, monkeypatch):
    (tmp_path / "a").write_bytes(b"old")
    (tmp_path / "a").chmod(mode)
    sync, seen = os.fsync, []

    def look(handle):
        seen.append(stat.S_IMODE(os.fstat(handle).st_mode))
        sync(handle)

    monkeypatch.setattr(os, "fsync", look)
    before = os.umask(0o022)
    try:
        write_bytes(tmp_path / "a", b"new")
    finally:
        os.umask(before)
    assert seen[0] == mode == stat.S_IMODE((tmp_path / "a").stat().st_mode)


@root
def test_the_owner_is_kept(tmp_path):
    (tmp_path / "a").write_bytes(b"old")
    os.chown(tmp_path / "a", 12345, 23456)
    (tmp_path / "a").chmod(0o640)
    write_bytes(tmp_path / "a", b"new")
    about = (tmp_path / "a").stat()
    assert (about.st_uid, about.st_gid, stat.S_IMODE(about.st_mode)) == (12345, 23456, 0o640)


def test_a_group_that_cannot_be_kept_gives_another_no_rights(tmp_path, monkeypatch):
    def forbidden(*_):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "fchown", forbidden)
    for mode, kept in ((0o640, 0o600), (0o664, 0o644), (0o606, 0o666)):
        (tmp_path / "a").write_bytes(b"old")
        (tmp_path / "a").chmod(mode)
        write_bytes(tmp_path / "a", b"new")
        assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == kept


# The module by itself: all of fastnn takes a second to import.
ALONE = f"import os, signal, sys\nsys.path.append({os.path.dirname(files.__file__)!r})\nimport files\n"
DIES = """
def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)
setattr(os, sys.argv[2], die)
files.write_bytes(sys.argv[1], b"x" * 10000)
"""


def killed_while_writing(path, call="fsync"):
    process = subprocess.run([sys.executable, "-c", ALONE + DIES, str(path), call])
    assert process.returncode == -signal.SIGKILL


def test_what_a_killed_run_left_is_swept_by_the_next_save(tmp_path):
    write_bytes(tmp_path / "a", b"old")
    for call in ("fsync", "replace", "fchmod"):
        killed_while_writing(tmp_path / "a", call)
    killed_while_writing(tmp_path / "b")
    for name in (".fastnn", ".a.0123456789abcdef", ".fastnn-notes"):
        (tmp_path / name).write_bytes(b"mine")
    assert len(names(tmp_path)) == 6 and (tmp_path / "a").read_bytes() == b"old"
    write_bytes(tmp_path / "a", b"new")
    assert len(names(tmp_path)) == 5 and (tmp_path / "a").read_bytes() == b"new"
    write_bytes(tmp_path / "b", b"new")
    assert names(tmp_path) == [".a.0123456789abcdef", ".fastnn", ".fastnn-notes", "a", "b"]


def test_a_save_that_is_under_way_is_not_swept(tmp_path, monkeypatch):
    sync, waits, goes_on = os.fsync, threading.Event(), threading.Event()

    def wait(handle):
        if threading.current_thread() is slow:
            waits.set()
            assert goes_on.wait(60)
        sync(handle)

    monkeypatch.setattr(os, "fsync", wait)
    slow = threading.Thread(target=write_bytes, args=(tmp_path / "a", b"slow"))
    slow.start()
    assert waits.wait(60)
    write_bytes(tmp_path / "a", b"quick")
    assert len(names(tmp_path)) == 2
    goes_on.set()
    slow.join()
    assert names(tmp_path) == ["a"] and (tmp_path / "a").read_bytes() == b"slow"


def test_where_there_are_no_locks_only_what_is_old_is_swept(tmp_path, monkeypatch):
    killed_while_writing(tmp_path / "a")

    def no_locks(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(files.fcntl, "flock", no_locks)
    write_bytes(tmp_path / "a", b"new")
    young, name = names(tmp_path)
    assert name == "a" and young.startswith(".fastnn-")
    about = (tmp_path / young).stat()
    os.utime(tmp_path / young, (about.st_atime, about.st_mtime - files.ABANDONED_SECONDS - 9))
    write_bytes(tmp_path / "a", b"newer")
    assert names(tmp_path) == ["a"] and (tmp_path / "a").read_bytes() == b"newer"


def test_a_temporary_that_is_swept_before_it_is_locked_is_made_anew(tmp_path, monkeypatch):
    lock, swept = files.fcntl.flock, []

    def sweep_first(handle, how):
        if not swept:
            swept.extend(tmp_path.glob(".fastnn-*"))
            swept[0].unlink()
        lock(handle, how)

    monkeypatch.setattr(files.fcntl, "flock", sweep_first)
    write_bytes(tmp_path / "a", b"new")
    assert swept and names(tmp_path) == ["a"]


def test_what_is_in_the_way_of_sweeping_stays(tmp_path):
    prefix = files.prefix_of("a")
    (tmp_path / f"{prefix}folder").mkdir()
    os.mkfifo(tmp_path / f"{prefix}pipe")
    (tmp_path / f"{prefix}link").symlink_to("a")
    write_bytes(tmp_path / "a", b"new")
    assert len(names(tmp_path)) == 4


def test_many_writers_of_one_name_do_not_harm_each_other(tmp_path):
    code = ALONE + "for i in range(200): files.write_bytes(sys.argv[1], b'%d' % i * 1000)"
    writers = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "a")]) for _ in range(3)]
    assert [writer.wait(60) for writer in writers] == [0] * 3 and names(tmp_path) == ["a"]


@pytest.mark.parametrize("letter", ("a", "\u00e9", "\u6f22"))
def test_names_up_to_the_limit_of_the_system(letter, tmp_path):
    limit = os.pathconf(tmp_path, "PC_NAME_MAX")
    name = letter * (limit // len(letter.encode()))
    net = network()
    for _ in range(2):
        net.save(tmp_path / name)
    assert Network.load(tmp_path / name).params.tobytes() == net.params.tobytes()
    with pytest.raises(OSError) as error:
        net.save(tmp_path / (name + letter))
    assert error.value.errno == errno.ENAMETOOLONG and names(tmp_path) == [name]
