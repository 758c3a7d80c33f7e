"""Arrays that end, or begin, exactly at memory that cannot be touched: one element past is a crash."""

import ctypes
import mmap
import sys

import numpy as np

EDGES = ("end", "begin")
PAGE = mmap.PAGESIZE
AVAILABLE = sys.platform != "win32"
NO_ACCESS = 0  # PROT_NONE, which the module mmap does not name

if AVAILABLE:
    _mprotect = ctypes.CDLL(None, use_errno=True).mprotect
    _mprotect.argtypes = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int


def guarded(array, edge):
    """A writeable copy of `array`, same strides, in memory of its own with a forbidden page at either side.

    Its last element stands right before one of them (edge "end") or its first right after the other
    ("begin"). Collecting the copy frees the memory, the forbidden pages too.
    """
    span = 0
    if array.size:
        span = array.itemsize + sum((n - 1) * s for n, s in zip(array.shape, array.strides, strict=True))
    pages = -(-span // PAGE) * PAGE
    memory = mmap.mmap(-1, PAGE + pages + PAGE)
    start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    offset = PAGE if edge == "begin" else PAGE + pages - span
    copy = np.ndarray(array.shape, array.dtype, memory, offset, array.strides)
    copy[...] = array
    for page in (start, start + PAGE + pages):
        if _mprotect(page, PAGE, NO_ACCESS):
            raise OSError(ctypes.get_errno(), "mprotect")
    return copy
