"""What is read of the machine, and the rows of a chunk."""

import pytest

from fastnn_kernels import machine as module
from fastnn_kernels.machine import Machine, chunk_rows, machine
from fastnn_kernels.simd import REGISTERS, VECTOR_BYTES


def test_every_size_is_plausible():
    found = machine()
    assert 8 << 10 <= found.l1 <= found.l2 <= found.l3
    assert (found.vector_bytes, found.registers) == (VECTOR_BYTES, REGISTERS)
    assert found.registers in (16, 32)


@pytest.mark.parametrize(
    "text, size", (("48K", 49152), ("2M", 2 << 20), ("49152\n", 49152), ("", 0), ("?", 0))
)
def test_sizes_as_the_system_writes_them(text, size):
    assert module.bytes_of(text) == size


def test_levels_of_a_folder_as_linux_has_it(tmp_path):
    for i, (level, kind, size) in enumerate(
        (("1", "Data", "32K"), ("1", "Instruction", "64K"), ("2", "Unified", "1M"))
    ):
        folder = tmp_path / f"index{i}"
        folder.mkdir()
        for name, text in (("level", level), ("type", kind), ("size", size)):
            (folder / name).write_text(text + "\n")
    (tmp_path / "index3").mkdir()  # tells nothing
    assert module.from_sysfs(tmp_path) == {"l1": 32 << 10, "l2": 1 << 20}
    assert module.from_sysfs(tmp_path / "nowhere") == {}


def test_where_nothing_is_known_there_are_defaults(monkeypatch):
    monkeypatch.setattr(module, "from_sysfs", dict)
    monkeypatch.setattr(module, "_from_sysctl", dict)
    found = machine.__wrapped__()
    assert (found.l1, found.l2) == (32 << 10, 256 << 10) and found.l3 >= found.l2


@pytest.mark.parametrize("sizes, itemsize, l2, l3, rows", (
    ((64, 100, 10), 8, 256 << 10, 32 << 20, 96),
    ((2, 4, 1), 8, 2 << 20, 32 << 20, 21840),
    ((784, 512, 256, 10), 4, 2 << 20, 2 << 20, 200),
    ((784, 512, 256, 10), 8, 2 << 20, 2 << 20, 96),
    ((784, 512, 256, 10), 4, 512 << 10, 32 << 20, 400),
    ((256, 1024, 1024, 16), 4, 512 << 10, 32 << 20, 256),
    ((10000, 10000), 4, 2 << 20, 2 << 20, 64),
))  # fmt: skip
def test_a_chunk_fits_the_cache_that_the_weights_leave(sizes, itemsize, l2, l3, rows):
    assert chunk_rows(sizes, itemsize, Machine(32 << 10, l2, l3, VECTOR_BYTES, REGISTERS)) == rows
    assert chunk_rows(sizes, itemsize) % 8 == 0
