"""Machine code of C functions: compiled once a machine, kept on disk as object files, loaded by address.

An object file needs none of numba's tables to be loaded: the second process has its kernels in a few
milliseconds each.
"""

import contextlib
import gc
import threading

from llvmlite import binding

from fastnn_kernels import compilation
from fastnn_kernels._cache import Entries, cache_folder
from fastnn_kernels._numba import object_code

LOCK = threading.RLock()
_ENGINES = []  # they own the memory of the code


def stored(name, key):
    """The address of the C function of this name and key, loaded from the disk; None if it is not there."""
    with LOCK:
        found = None if cache_folder() is None else Entries(cache_folder(), name).load(key)
        return None if found is None else _load(*found)


def made(name, key, build):
    """The address of the C function that `build()` compiles, which goes to the disk."""
    with LOCK:
        with compilation.compiling(name), _without_collections():
            found = object_code(build())
        if cache_folder() is not None:
            with contextlib.suppress(OSError):  # the next process compiles again
                cache_folder().mkdir(parents=True, exist_ok=True)
                Entries(cache_folder(), name).save(key, found)
        return _load(*found)


def _load(code, symbol):
    """Make an object file executable; the address of one of its functions."""
    machine = binding.Target.from_default_triple().create_target_machine(jit=True)
    engine = binding.create_mcjit_compiler(binding.parse_assembly(""), machine)
    engine.add_object_file(binding.ObjectFileRef.from_data(code))
    engine.finalize_object()
    address = engine.get_function_address(symbol)
    if not address:
        raise RuntimeError(f"the machine code has no function {symbol}")
    _ENGINES.append(engine)
    return address


@contextlib.contextmanager
def _without_collections():
    """The collector would walk through all that the compiler makes, again and again."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
