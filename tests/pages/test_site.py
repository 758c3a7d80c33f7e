"""The site as it was built (python -m sphinx -W -b html docs docs/_build/html), and what the texts say."""

import ast
import re
from pathlib import Path

import pytest

import fastnn
import fastnn.search
from browsing import complaints, screen, served, until

ROOT = Path(__file__).parents[2]
SITE = ROOT / "docs" / "_build" / "html"
PAGES = (
    "index", "start", "guide/index", "guide/validation", "scikit_learn", "pytorch_keras", "courses", "faq",
    "design", "performance", "gallery/index", "gallery/digits", "gallery/search",
    "api/index", "api/generated/fastnn.Network",
    "api/generated/fastnn.MLPClassifier", "api/generated/fastnn.functional",
)  # fmt: skip


@pytest.fixture(scope="module")
def address():
    if not (SITE / "index.html").is_file():
        pytest.skip("the site is not built: python -m sphinx -W -b html docs docs/_build/html")
    with served(SITE) as address:
        yield address


@pytest.mark.slow
@pytest.mark.parametrize("width", [1280, 390])
def test_pages_in_a_browser(browser, address, width):
    """No request fails or leaves this machine, and no page scrolls sideways."""
    with screen(browser, width, 844, mobile=width < 500):
        for page in PAGES:
            browser.get(f"{address}/{page}.html")
            assert until(browser, "return document.querySelector('h1')"), page
            assert browser.execute_script("return document.documentElement.scrollWidth") <= width, page
            broken = "return [...document.images].filter(i => i.complete && !i.naturalWidth).map(i => i.src)"
            assert browser.execute_script(broken) == [], page
            assert complaints(browser) == [], page


@pytest.mark.slow
def test_the_search_finds(browser, address):
    browser.get(f"{address}/search.html?q=MLPClassifier")
    links = "[...document.querySelectorAll('#search-results li a')]"
    assert until(browser, f"return {links}.some(a => a.href.includes('fastnn.MLPClassifier'))")
    assert complaints(browser) == []


def test_formulas_are_drawn_by_the_browser():
    if not (SITE / "design.html").is_file():
        pytest.skip("the site is not built")
    page = (SITE / "design.html").read_text()
    assert "<math" in page and not re.search(r"<script[^>]*mathjax", page, re.IGNORECASE)


def test_the_reference_has_every_name():
    listed = re.findall(r"^   (\w+)$", (ROOT / "docs" / "api" / "index.rst").read_text(), re.MULTILINE)
    assert sorted(set(listed) - {"modules"}) == sorted(fastnn.__all__ + fastnn.search.__all__)


def test_readme_is_one_screen_and_its_links_lead_somewhere():
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) <= 120
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        assert (ROOT / target).exists(), target
    example = re.search(r"```python\n(import numpy.+?)```", text, re.DOTALL)[1]
    ast.parse(example)


def test_one_version_everywhere():
    version = fastnn.__version__
    assert re.search(rf"^version: {re.escape(version)}$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text()
