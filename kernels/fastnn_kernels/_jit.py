"""The one decorator of every kernel: compiler flags and the disk cache's policy.

numba's own disk cache looks at the file of the function it compiles. A kernel contains the kernels
it calls, so here an entry is valid only for the exact text of *every* file of this package. Each
entry is one file, written atomically and sealed with a digest: a truncated or foreign file is a
miss, and two processes that warm the cache at once can at worst both do the work.
"""

import hashlib
import os
import pickle
import uuid
from pathlib import Path

import llvmlite
import numba
from numba.core import config
from numba.core.caching import FunctionCache
from numba.core.types import unliteral

# Everything that fast mathematics may do, except to assume that there is no NaN and no infinity:
# with `fastmath=True` the compiler deletes the very checks that would show a divergence.
FAST = frozenset({"contract", "arcp", "nsz", "reassoc"})
# For code whose rounding is designed operation by operation; a * b + c may still become one FMA.
EXACT = frozenset({"contract"})
_PACKAGE = Path(__file__).parent


def _source_stamp():
    """Digest of the compiler's version and of every source file of this package."""
    # Whether the features were given or found decides the vectors' width, and is not in numba's key.
    given = numba.__version__, llvmlite.__version__, config.CPU_NAME, config.CPU_FEATURES
    digest = hashlib.sha256(repr(given).encode())
    for path in sorted(_PACKAGE.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.digest()


class _CacheEntries:
    """One file per compiled signature: digest, then the pickled (stamp, key, machine code)."""

    def __init__(self, folder, prefix, stamp):
        self._folder, self._prefix, self._stamp = Path(folder), prefix, stamp

    def _path(self, key):
        return self._folder / f"{self._prefix}.{hashlib.sha256(repr(key).encode()).hexdigest()[:16]}.nbc"

    def load(self, key):
        try:
            blob = self._path(key).read_bytes()
        except OSError:
            return None
        if hashlib.sha256(blob[32:]).digest() != blob[:32]:
            return None
        stamp, name, data = pickle.loads(blob[32:])
        return pickle.loads(data) if (stamp, name) == (self._stamp, repr(key)) else None

    def save(self, key, data):
        body = pickle.dumps((self._stamp, repr(key), numba.core.serialize.dumps(data)))
        # Not by tempfile, whose files no other user may read.
        temporary = self._folder / f"{uuid.uuid4().hex}.tmp"
        try:
            temporary.write_bytes(hashlib.sha256(body).digest() + body)
            os.replace(temporary, self._path(key))
        finally:
            temporary.unlink(missing_ok=True)

    def flush(self):
        for path in self._folder.glob(f"{self._prefix}.*.nbc"):
            path.unlink(missing_ok=True)


class _KernelCache(FunctionCache):
    """numba's function cache with our validity rule; where nothing can be written, nothing is."""

    def __init__(self, function, flags):
        super().__init__(function)
        self._flags = flags
        self._cache_file = _CacheEntries(self._cache_path, self._impl.filename_base, _STAMP)

    def _index_key(self, signature, codegen):
        return super()._index_key(signature, codegen), self._impl.filename_base, self._flags

    def save_overload(self, signature, data):
        try:
            super().save_overload(signature, data)
        except OSError:
            pass  # a full or read-only disk costs the next process a compilation, not this one its result


_STAMP = _source_stamp()


def kernel(function=None, *, fastmath=FAST, inline=False):
    """Compile `function` at its first call: no GIL, NumPy's rules for division, cached on disk.

    Its callers compile it again with themselves, at each level of calls. `inline` gives them its source
    instead, before types are inferred: for glue between the loops, which then costs one compilation.
    """
    if function is None:
        return lambda f: kernel(f, fastmath=fastmath, inline=inline)
    compiled = numba.njit(
        fastmath=set(fastmath),
        error_model="numpy",
        nogil=True,
        inline="always" if inline else "never",
        _nrt=False,  # kernels allocate nothing and return no views: counting references only costs time
    )(function)
    if not config.DISABLE_JIT:
        template = compiled.get_call_template

        def without_literals(args, kws):
            # numba would compile a kernel anew for each combination of literal arguments: four times the
            # matrix product, three seconds instead of one.
            return template([unliteral(a) for a in args], {name: unliteral(a) for name, a in kws.items()})

        compiled.get_call_template = without_literals
        # The stamp covers no file outside this package, and none in an archive.
        file = Path(function.__code__.co_filename)
        if file.parent == _PACKAGE and file.is_file():
            try:
                compiled._cache = _KernelCache(function, (sorted(fastmath), inline))
            except RuntimeError:
                pass  # no folder to write to, not even the user's own
    return compiled
