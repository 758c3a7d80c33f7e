"""The CPU's units for products of bfloat16: what each is given, and that all train the same."""

import os
import platform
import subprocess
import sys

import pytest
from llvmlite.binding import get_host_cpu_features

COMPILED = """
import re
from cases import machine_code
from fastnn_kernels.pair_moves import rows_to_pairs, weights_to_pairs
from fastnn_kernels.pair_tiles import HEIGHT, IN_REGISTERS, IN_TILES, PANEL_VECTORS, UNROLL
from fastnn_kernels.simd import BFLOAT16_UNITS

assert set(BFLOAT16_UNITS) == {"AMX", "AVX512-BF16"}
for leaf in IN_REGISTERS:
    assert len(re.findall("vdpbf16ps", machine_code(leaf))) == UNROLL * HEIGHT * PANEL_VECTORS, leaf.name
for leaf in IN_TILES:
    code = machine_code(leaf)
    assert len(re.findall("tdpbf16ps", code)) == 4 <= len(re.findall("tileloadd", code)), leaf.name
for leaf in rows_to_pairs, weights_to_pairs:
    assert "vcvtne2ps2bf16" in machine_code(leaf), leaf.name
"""
AVX2 = "avx avx2 fma bmi bmi2 f16c"
PAIRS = f"{AVX2} avx512f avx512vl avx512bw avx512dq avx512cd avx512bf16"
FEATURES = f"{PAIRS} amx-tile amx-bf16"


def run_for(features, code, tmp_path):
    """What Python code writes whose kernels are compiled for a CPU with these features."""
    given = {
        "NUMBA_CPU_NAME": "haswell" if features == AVX2 else "sapphirerapids",
        "NUMBA_CPU_FEATURES": ",".join(f"+{name}" for name in features.split()),
        "NUMBA_CACHE_DIR": str(tmp_path),
    }
    path = os.pathsep.join(filter(None, sys.path))
    command, environment = [sys.executable, "-c", code], os.environ | given | {"PYTHONPATH": path}
    child = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert child.returncode == 0, child.stdout + child.stderr
    return child.stdout


@pytest.mark.slow
@pytest.mark.skipif(platform.machine().lower() not in ("x86_64", "amd64"), reason="names an x86 processor")
def test_a_cpu_with_such_products_is_given_them(tmp_path):
    """Compiled for one, not run: the tests above run them where this CPU is one."""
    run_for(FEATURES, COMPILED, tmp_path)


TRAINED = """
import numpy as np
from fastnn import Adam, Network
from fastnn.precision import about_this_cpu
from fastnn.reference_training import bfloat16, train

options = {"output": "softmax", "activation": "tanh", "dtype": "float32", "seed": 0}
network = Network([70, 90, 33, 5], precision="bfloat16", **options)
random = np.random.default_rng(0)
X, Y = random.standard_normal((150, 70)).astype("f4"), np.eye(5)[random.integers(0, 5, 150)]
batches = [(X[i : i + 50].astype(float), Y[i : i + 50], None) for i in range(0, 150, 50)]
about = network.sizes, network.activations, network.cost, batches, Adam(0.01)
expected, _ = train(network.params.astype(float), *about, steps_per_epoch=3, rounded=bfloat16)
start = network.params.copy()
network.fit(X, Y, epochs=1, batch_size=50, optimizer=Adam(0.01), shuffle=False, threads=2)
error = np.linalg.norm(network.params - expected) / np.linalg.norm(start - expected)
assert error < 0.01, error
print(about_this_cpu())
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "features, said", ((AVX2, "none in this CPU"), (PAIRS, "by AVX512-BF16"), (FEATURES, "AMX"))
)
def test_all_units_that_this_cpu_has_train_the_same(features, said, tmp_path):
    here = {name for name, there in get_host_cpu_features().items() if there}
    if platform.machine().lower() not in ("x86_64", "amd64") or not set(features.split()) <= here:
        pytest.skip("this CPU does not have it")
    text = run_for(features, "import warnings; warnings.simplefilter('ignore')" + TRAINED, tmp_path)
    assert said in text
