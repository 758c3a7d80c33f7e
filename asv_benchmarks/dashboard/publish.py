"""Finish what `asv publish` has written: no address of another host, and a front page.

asv's page moves to asv.html, the front page is index.html. Links to asv's graphs that were made for
index.html are sent on.
"""

from pathlib import Path

from . import front, results, vendor

HOME = '<li><a href="index.html">Front page</a></li>'


def _home_link(page):
    """A way back to the front page, before the first entry of asv's menu."""
    first = '<li id="nav-li-"'
    if page.count(first) != 1:
        raise ValueError(
            "the menu of asv's page is not as dashboard/publish.py knows it: look for nav-li- there"
        )
    return page.replace(first, f"{HOME}\n        {first}")


def finish(html_dir, results_dir, first=None, cache=None):
    """Finish the pages in `html_dir`, which `asv publish` made of the results in `results_dir`.

    first: the machine whose page is the front page.

    Nothing is changed where the scripts of asv's page cannot be had, or the results not be read.
    """
    html_dir = Path(html_dir)
    index, moved, feed = (html_dir / name for name in ("index.html", "asv.html", "regressions.xml"))
    fresh = index.is_file() and "summarygrid-display" in index.read_text()
    if not fresh and not moved.is_file():
        raise FileNotFoundError(f"no page of asv in {html_dir}: run `asv publish` first")
    reports = results.read(results_dir, first)
    pages = {front.file_of(report, reports): front.page(report, reports) for report in reports}
    if fresh:
        moved.write_text(vendor.bring(_home_link(index.read_text()), html_dir, cache))
        if feed.is_file():
            feed.write_text(feed.read_text().replace("index.html#", "asv.html#"))
    for name, text in pages.items():
        (html_dir / name).write_text(text)


def main(html_dir, results_dir, first=None):
    """`finish` for the command line: what is missing is said in one line."""
    try:
        finish(html_dir, results_dir, first)
    except (vendor.Unavailable, FileNotFoundError) as error:
        raise SystemExit(str(error)) from None
