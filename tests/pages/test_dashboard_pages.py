"""The pages about speed in a browser that sees no network."""

import re
import shutil

import pytest

pytest.importorskip("asv", reason="asv is not installed: pip install 'fastnn[bench]'")

import asv_project  # noqa: E402, F401  (finds the package `dashboard`)
from browsing import complaints, screen, served, until  # noqa: E402
from dashboard import publish, results, vendor  # noqa: E402
from dashboard.charts import charts  # noqa: E402
from dashboard.comparisons import comparisons  # noqa: E402


@pytest.fixture(scope="module")
def site(project):
    """The finished pages."""
    html = project / "finished"
    shutil.copytree(project / "html", html)
    try:
        publish.finish(html, project / "results")
    except vendor.Unavailable as error:
        pytest.skip(str(error))
    return html


@pytest.fixture(scope="module")
def address(site):
    with served(site) as address:
        yield address


PAINTED = """
const canvas = document.querySelector("#main-graph canvas.flot-base");
if (!canvas || !canvas.width) return 0;
const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
return pixels.filter((value, i) => i % 4 == 3 && value > 0).length;
"""


@pytest.mark.slow
def test_the_front_page_in_a_browser(browser, address):
    browser.get(f"{address}/index.html")
    assert until(browser, "return document.querySelectorAll('#tables td a').length") > 10
    assert browser.execute_script("return document.querySelectorAll('figure svg.plot').length") == 1
    assert browser.execute_script("return document.querySelectorAll('svg.plot circle').length") == 6
    text = browser.execute_script("return document.body.innerText")
    for words in (
        "faster in 3 of 5",
        "20.8x",
        "0.520x",
        "PyTorch",
        "Made-up CPU <8>",
        "numba 0.68.1",
    ):
        assert words in text
    assert not complaints(browser)


@pytest.mark.slow
def test_the_front_page_fits_a_phone(browser, address):
    browser.get(f"{address}/index.html")
    with screen(browser, 360, 700, mobile=True):
        assert browser.execute_script("return document.documentElement.scrollWidth") <= 360


@pytest.mark.slow
@pytest.mark.parametrize("page", ["", "summarylist", "regressions"])
def test_asv_in_a_browser(browser, address, page):
    """Without the network its scripts load, and its grid and lists show."""
    browser.get("about:blank")
    browser.get(f"{address}/asv.html#/{page}")
    place = {"": "#summarygrid-display canvas", "summarylist": "#summarylist-body tbody tr",
             "regressions": "#regressions-body"}[page]  # fmt: skip
    assert until(browser, f"return $.active === 0 && document.querySelectorAll('{place}').length")
    if page == "summarylist":
        heading = "#summarylist-body thead th"
        browser.execute_script(f"document.querySelector('{heading}').click()")
        assert until(browser, f"return document.querySelector('{heading}').className.includes('sorting-')")
    assert "error.html" not in browser.current_url
    assert not complaints(browser)


@pytest.mark.slow
def test_every_deep_link_draws(browser, address, project):
    """Of the front page: one over a parameter, one over the commits; and one as asv itself writes it."""
    (report,) = results.read(project / "results")
    chart_link = next(value.link(x_axis) for _, value, x_axis in charts(report))
    links = [chart_link, comparisons(report)[0].ratio.link(), chart_link.replace("asv.html", "index.html")]
    for link in links:
        browser.get("about:blank")
        browser.get(f"{address}/{link}")
        assert until(browser, PAINTED) > 1000, link
        assert not complaints(browser)
        assert (
            browser.current_url.partition("?")[0]
            == f"{address}/asv.html#{link.partition('#')[2].partition('?')[0]}"
        )


def test_no_address_of_another_host_is_loaded(site):
    page = (site / "asv.html").read_text()
    assert not re.findall(r"""(?:src|<link[^>]*href)=["']https?:[^"']*""", page)
    assert "index.html#" not in (site / "regressions.xml").read_text()
    assert "http" not in (site / "index.html").read_text().replace("http://www.w3.org/2000/svg", "")


def test_publishing_again_changes_nothing(site, project):
    before = {path: path.read_bytes() for path in site.rglob("*.html")}
    publish.finish(site, project / "results")
    assert before == {path: path.read_bytes() for path in site.rglob("*.html")}
