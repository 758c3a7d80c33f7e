"""A browser that sees no network but this machine, for the tests of pages."""

import contextlib
import functools
import http.server
import json
import shutil
import threading
import urllib.parse

import pytest

CHROMIUM = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-default-apps",
    "--window-size=1200,900", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)  # fmt: skip


@contextlib.contextmanager
def served(folder):
    """The address at which this folder's files are served."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
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


@contextlib.contextmanager
def screen(browser, width, height, mobile=False):
    """A screen of this size."""
    size = {"width": width, "height": height, "deviceScaleFactor": 1 + mobile, "mobile": mobile}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        yield
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


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
