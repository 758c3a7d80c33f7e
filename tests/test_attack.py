"""The attack finds what is planted: a kernel that reads one element too far, and a wrong answer."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numba import config

from attacks import ATTACKS
from attacks.hostile import Found, judged
from fastnn import Network, functional
from package_copy import Copy

ATTACK = Path(__file__).parent / "attack.py"
pytestmark = pytest.mark.skipif(
    config.DISABLE_JIT or sys.platform == "win32", reason="compiled, POSIX memory"
)


def run(*arguments):
    command = [sys.executable, str(ATTACK), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.slow
def test_a_kernel_that_reads_one_element_too_far_is_found(tmp_path):
    copy = Copy(tmp_path)
    copy.edit("optimizers.py", "for i in range(n):", "for i in range(n + 1):")
    result = run(60, "--only", "functions", "--most", 1, "--kernels", copy.package.parent)
    assert result.returncode == 1, result.stdout
    assert re.search(r"functional\.(squared_norm|sgd|momentum|nesterov|adam)", result.stdout), result.stdout
    assert "ended by SIGSEGV" in result.stdout or "ended by SIGBUS" in result.stdout


@pytest.mark.parametrize("name", ATTACKS)
def test_a_trial_of_each_attack(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = []
    for number in range(3):
        assert ATTACKS[name](np.random.default_rng([9, number]), said.append) in ("done", "refused")
    assert said


def test_what_is_wrong_is_found():
    x = np.ones(4)
    net = Network([2, 1])

    def change_and_refuse():
        net.params[:] = 5
        raise ValueError

    def crash():
        raise KeyError

    with pytest.raises(Found, match="an input was changed"):
        judged(lambda: x.fill(2), {"x": x}, dict)
    with pytest.raises(Found, match="something has changed"):
        judged(change_and_refuse, {"x": x}, lambda: net.params.tobytes())
    with pytest.raises(KeyError):
        judged(crash, {"x": x}, dict)
    with pytest.raises(RuntimeWarning):
        judged(lambda: np.float32(1e300), {}, dict)
    assert judged(lambda: functional.squared_norm("x"), {}, dict) == ("refused", None)
    assert judged(lambda: functional.squared_norm([3.0, 4.0]), {}, dict) == ("done", 25.0)


@pytest.mark.slow
def test_an_unknown_attack_is_refused():
    result = run(1, "--only", "nothing")
    assert result.returncode == 2 and "unknown attack 'nothing'" in result.stderr
