"""The pages about speed in a browser that sees no network."""

import functools
import http.server
import json
import re
import shutil
import threading
import urllib.parse

import pytest

pytest.importorskip("asv", reason="asv is not installed: pip install 'fastnn[bench]'")

import asv_project  # noqa: E402  (finds the package `dashboard`)
from dashboard import publish, results, vendor  # noqa: E402
from dashboard.charts import charts  # noqa: E402
from dashboard.comparisons import comparisons  # noqa: E402

CHROMIUM = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-default-apps",
    "--window-size=1200,900", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)  # fmt: skip


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """Results of three commits, and what `asv publish` makes of them."""
    folder = asv_project.make_project(tmp_path_factory.mktemp("asv") / "project")
    asv_project.publish(folder)
    return folder


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
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=site))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip("no browser: install the packages chromium and chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*CHROMIUM, f"--user-data-dir={tmp_path_factory.mktemp('browser')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    # Given the driver's path, selenium looks for none on the network.
    service = webdriver.chrome.service.Service(driver)
    with webdriver.Chrome(options=options, service=service) as chrome:
        yield chrome


def until(browser, script):
    """Wait until `script` returns something true, and give it."""
    from selenium.webdriver.support.wait import WebDriverWait

    return WebDriverWait(browser, 20, 0.1).until(lambda _: browser.execute_script(script))


def complaints(browser):
    """Of our pages since the last call: requests that failed or left this machine, errors on the console."""
    sent, found = {}, []
    for entry in browser.get_log("performance"):
        event = json.loads(entry["message"])["message"]
        kind, params = event["method"], event["params"]
        if kind == "Network.requestWillBeSent" and params["documentURL"].startswith("http"):
            address = urllib.parse.urlsplit(params["request"]["url"])
            sent[params["requestId"]] = address.geturl()
            if address.scheme != "data" and address.hostname != "127.0.0.1":
                found.append(address.geturl())
        elif kind == "Network.responseReceived" and params["response"]["status"] >= 400:
            found.append((params["response"]["status"], params["response"]["url"]))
        elif kind == "Network.loadingFailed" and params["requestId"] in sent:
            found.append((params["errorText"], sent[params["requestId"]]))
    assert sent, "no request was logged"
    return found + [entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]


PAINTED = """
const canvas = document.querySelector("#main-graph canvas.flot-base");
if (!canvas || !canvas.width) return 0;
const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
return pixels.filter((value, i) => i % 4 == 3 && value > 0).length;
"""


def test_the_front_page_in_a_browser(browser, address):
    browser.get(f"{address}/index.html")
    assert until(browser, "return document.querySelectorAll('table.comparison tbody tr').length") == 5
    assert browser.execute_script("return document.querySelectorAll('figure svg.plot').length") == 1
    assert browser.execute_script("return document.querySelectorAll('svg.plot circle').length") == 6
    text = browser.execute_script("return document.body.innerText")
    for words in (
        "faster in 3 of 5",
        "20.8x faster",
        "0.520x slower",
        "PyTorch",
        "Made-up CPU <8>",
        "numba 0.68.1",
    ):
        assert words in text
    links = browser.execute_script("return [...document.querySelectorAll('a[href^=\"#\"]')].map(a => a.hash)")
    assert links and all(
        browser.execute_script(f"return !!document.querySelector('{link}')") for link in links
    )
    assert not complaints(browser)


def test_the_front_page_fits_a_phone(browser, address):
    browser.get(f"{address}/index.html")
    size = {"width": 360, "height": 700, "deviceScaleFactor": 2, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        assert browser.execute_script("return document.documentElement.scrollWidth") <= 360
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


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


def test_every_deep_link_draws(browser, address, project):
    """Of the front page: one over a parameter, one over the commits; and one as asv itself writes it."""
    report = results.read(project / "results")
    chart_link = next(value.link(x_axis) for _, value, x_axis in charts(report))
    links = [chart_link, comparisons(report)[0].speedup.link(), chart_link.replace("asv.html", "index.html")]
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
