"""The oldest versions that the package says it works with are those that it is tested with."""

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def floors():
    """name -> the oldest version that a requirement of the package or of its tests lets in."""
    named = PROJECT["dependencies"], PROJECT["optional-dependencies"]["test"]
    requirements = [Requirement(text) for texts in named for text in texts]
    return {x.name: Version(s.version) for x in requirements for s in x.specifier if s.operator == ">="}


def test_the_floors_are_tested():
    lines = re.findall(r"^([\w-]+)==(.*)$", (ROOT / ".ci" / "floors.txt").read_text(), re.MULTILINE)
    tested = {name: Version(version) for name, version in lines}
    assert {Requirement(text).name for text in PROJECT["dependencies"]} <= tested.keys()
    for name, version in tested.items():
        assert version == floors()[name], name


def test_the_pythons_that_are_named_are_those_that_are_let_in():
    named = re.findall(r"Python :: (3\.\d+)", "\n".join(PROJECT["classifiers"]))
    assert PROJECT["requires-python"] == f">={named[0]}"
    assert named == [f"3.{minor}" for minor in range(11, 11 + len(named))]
