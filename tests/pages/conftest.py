"""What tests of pages share: the browser, and a project with measurements."""

import pytest

from browsing import browser  # noqa: F401


@pytest.fixture(scope="session")
def project(tmp_path_factory):
    """Results of three commits, and what `asv publish` makes of them."""
    import asv_project  # needs asv

    folder = asv_project.make_project(tmp_path_factory.mktemp("asv") / "project")
    asv_project.publish(folder)
    return folder
