"""The disk cache of machine code: entries that are fresh, whole and one's own, or none.

numba's own disk cache looks at the file of the function it compiles. A kernel contains the kernels it
calls, so here an entry is valid only for the exact text of *every* file of this package. Each entry is one
file, written atomically and sealed with a digest: a truncated or foreign file is a miss, and two processes
that warm the cache at once can at worst both do the work. Machine code is trusted code: an entry is read
only from a regular file that belongs to this user or to root and that nobody else may write.
"""

import contextlib
import functools
import hashlib
import os
import pickle
import stat
import uuid
from pathlib import Path

import llvmlite
import numba

from fastnn_kernels._numba import FunctionCache, config, dumps

PACKAGE = Path(__file__).parent


# Compilers beside each other, as of two environments on one home, have their entries beside each other.
# Whether the processor's features were given or found decides the vectors' width, and is not in numba's key.
COMPILER = numba.__version__, llvmlite.__version__, config.CPU_NAME, config.CPU_FEATURES


def _source_stamp():
    """Digest of the compiler's version and of every source file of this package."""
    digest = hashlib.sha256(repr(COMPILER).encode())
    for path in sorted(PACKAGE.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.digest()


STAMP = _source_stamp()


def _trusted_bytes(path):
    """The contents of a regular file that only this user, or root, can have written; else None."""
    # Without waiting: a FIFO would never be opened.
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with open(handle, "rb") as file:
        about = os.fstat(handle)
        if not stat.S_ISREG(about.st_mode):
            return None
        if hasattr(os, "geteuid"):
            if about.st_uid not in (0, os.geteuid()) or about.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                return None
        return file.read()


class Entries:
    """Sealed files of one folder: a digest, then the pickled (stamp, key, contents)."""

    def __init__(self, folder, prefix):
        self._folder, self._prefix = Path(folder), prefix

    def _path(self, key):
        digest = hashlib.sha256(repr((COMPILER, key)).encode()).hexdigest()
        return self._folder / f"{self._prefix}.{digest[:16]}.nbc"

    def load(self, key):
        """What `save` wrote for this key; None if there is nothing that can be trusted."""
        try:
            blob = _trusted_bytes(self._path(key))
            if blob is None or hashlib.sha256(blob[32:]).digest() != blob[:32]:
                return None
            stamp, name, contents = pickle.loads(blob[32:])
            return pickle.loads(contents) if (stamp, name) == (STAMP, repr(key)) else None
        except Exception:  # whatever it is that cannot be read: it is compiled again
            return None

    def save(self, key, contents):
        """Write atomically, for this user and readable by others; OSError where that cannot be."""
        body = pickle.dumps((STAMP, repr(key), dumps(contents)))
        # Not by tempfile, whose files no other user may read.
        temporary = self._folder / f"{uuid.uuid4().hex}.tmp"
        try:
            with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644), "wb") as file:
                file.write(hashlib.sha256(body).digest() + body)
            os.replace(temporary, self._path(key))
        finally:
            temporary.unlink(missing_ok=True)

    def flush(self):
        for path in self._folder.glob(f"{self._prefix}.*.nbc"):
            path.unlink(missing_ok=True)


class KernelCache(FunctionCache):
    """numba's function cache with our validity rule; where nothing can be written, nothing is."""

    def __init__(self, function, about):
        super().__init__(function)
        self._about = about
        self._cache_file = Entries(self._cache_path, self._impl.filename_base)

    def _index_key(self, signature, codegen):
        return super()._index_key(signature, codegen), self._impl.filename_base, self._about

    def save_overload(self, signature, data):
        with contextlib.suppress(OSError):
            # A full or read-only disk costs the next process a compilation, not this one its result.
            super().save_overload(signature, data)


def cache_for(function, about):
    """The disk cache of a kernel; None where there can be none. `about`: flags that tell it from others.

    The stamp covers no file outside this package, and none in an archive.
    """
    file = Path(function.__code__.co_filename)
    if file.parent == PACKAGE and file.is_file():
        with contextlib.suppress(RuntimeError):  # no folder to write to, not even the user's own
            return KernelCache(function, about)
    return None


@functools.cache
def cache_folder():
    """Where numba would keep the entries of this package's files; None if nowhere."""
    cache = cache_for(_source_stamp, ())
    return None if cache is None else Path(cache.cache_path)
