"""What tests of kernels share: a copy of their package, to be edited and damaged."""

import pytest

from package_copy import Copy


@pytest.fixture
def copy(tmp_path):
    return Copy(tmp_path)
