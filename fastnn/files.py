"""Writing a file: whole and durably, or not at all.

The new contents go to a temporary beside the target, which is synced and renamed over it: a reader, or a
run that is killed at any moment, finds the old file or the new one, never a part. A writer holds a lock on
its temporary. What a killed one leaves behind has no such lock, and the next write to that name removes it.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import stat
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows, where an open file cannot be removed
    fcntl = None  # type: ignore[assignment]

# Where a file system knows no locks, a temporary is a killed writer's after so long.
ABANDONED_SECONDS = 3600.0
# To open what may be anything by now, and wait for nothing.
LOOK = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


def write_bytes(path: str | os.PathLike[str], contents: bytes) -> None:
    """Write a file, atomically; mode, and owner where permitted, of one that is replaced are kept."""
    target, old = replaceable(path)
    prefix = prefix_of(target.name)
    while not _written(target, target.with_name(f"{prefix}{secrets.token_hex(8)}"), old, contents):
        pass
    _sync_folder(target.parent)


def _written(target: Path, temporary: Path, old: os.stat_result | None, contents: bytes) -> bool:
    """Write by way of this temporary; False if another writer swept it before it was locked."""
    mode = 0o666 if old is None else 0o600  # nobody reads what is to replace a private file
    try:
        with open(temporary, "xb", opener=lambda name, flags: os.open(name, flags, mode)) as file:
            handle = file.fileno()
            if _lock(handle) is False or (fcntl is not None and not os.fstat(handle).st_nlink):
                return False
            _sweep(temporary, os.fstat(handle).st_mtime)
            if old is not None:
                _take_over(handle, old)
            file.write(contents)
            file.flush()
            os.fsync(handle)
            if fcntl is not None:  # locked until it has its name
                os.replace(temporary, target)
        if fcntl is None:
            os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return True


def replaceable(path: str | os.PathLike[str]) -> tuple[Path, os.stat_result | None]:
    """Where a file of that name is to be written, and what stands there now: a regular file, or nothing.

    A link stays, and what it leads to is replaced. A folder, a device, a pipe or a socket is refused, and a
    name in a folder that is not there.
    """
    name = os.fspath(path)
    target = Path(os.path.realpath(name))
    try:
        old = os.stat(name)
    except FileNotFoundError:
        if not target.parent.is_dir():
            folder = target.parent if os.path.islink(name) else Path(name).parent
            raise FileNotFoundError(f"{name!r}: there is no folder {str(folder)!r}") from None
        return target, None
    if stat.S_ISDIR(old.st_mode):
        raise IsADirectoryError(f"{name!r} is a folder; give the name of a file")
    if not stat.S_ISREG(old.st_mode):
        raise FileExistsError(f"{name!r} is a device, a pipe or a socket; give the name of a file")
    if not target.exists():  # by way of /proc/self/fd
        raise FileExistsError(f"{name!r} leads to an open file that has no name; give the name of a file")
    return target, old


def prefix_of(name: str) -> str:
    """Of the temporaries for a file of that name, however long it is."""
    return f".fastnn-{hashlib.sha256(os.fsencode(name)).hexdigest()[:16]}-"


def _lock(handle: int) -> bool | None:
    """Whether this handle now has the file's lock; None where there are no locks."""
    if fcntl is None:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _sweep(own: Path, now: float) -> None:
    """Remove the temporaries of killed writers beside our own; what cannot be removed stays."""
    prefix = own.name.rpartition("-")[0]
    try:
        with os.scandir(own.parent) as entries:
            others = [x.path for x in entries if x.name.startswith(prefix) and x.name != own.name]
    except OSError:  # the folder may be written, but not listed
        return
    for path in others:
        try:
            handle = os.open(path, LOOK)
            try:
                locked, about = _lock(handle), os.fstat(handle)
                abandoned = locked or (locked is None and now - about.st_mtime > ABANDONED_SECONDS)
                if fcntl is not None and abandoned and stat.S_ISREG(about.st_mode):
                    os.unlink(path)
            finally:
                os.close(handle)
            if fcntl is None:
                os.unlink(path)
        except OSError:
            pass


def _take_over(handle: int, old: os.stat_result) -> None:
    """Owner, group and mode of the file that is replaced, as far as this user may give them."""
    if not hasattr(os, "fchown"):
        return
    mode = stat.S_IMODE(old.st_mode) & 0o777
    try:
        os.fchown(handle, old.st_uid, old.st_gid)
    except OSError:
        try:
            os.fchown(handle, -1, old.st_gid)
        except OSError:  # of another group, which may do no more than all others
            mode = mode & ~0o070 | (mode & 0o007) << 3
    try:
        os.fchmod(handle, mode)
    except OSError:  # a file system without modes
        pass


def _sync_folder(folder: Path) -> None:
    """Make the rename itself durable, where the system lets a folder be synced: the file is there anyway."""
    if os.name == "nt":
        return
    try:
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError:
        pass
