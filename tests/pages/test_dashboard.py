"""The figures of the pages about speed and of README, and how their scripts are brought."""

import json
import re
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest

pytest.importorskip("asv", reason="asv is not installed: pip install 'fastnn[bench]'")

import asv_project  # noqa: E402, F401  (finds `dashboard` and `views`)
import views  # noqa: E402
from dashboard import front, plot, publish, results, text, vendor  # noqa: E402
from dashboard.comparisons import comparisons  # noqa: E402


@pytest.fixture(scope="module")
def report(project):
    return results.read(project / "results")[0]


@pytest.mark.slow
def test_without_npm_there_is_one_line(project, tmp_path, monkeypatch):
    shutil.copytree(project / "html", tmp_path / "html")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(vendor.Unavailable, match="npm is not installed"):
        publish.finish(tmp_path / "html", project / "results", cache=tmp_path / "cache")
    assert (tmp_path / "html" / "index.html").read_bytes() == (project / "html" / "index.html").read_bytes()
    assert not (tmp_path / "html" / "asv.html").exists()
    with pytest.raises(SystemExit, match="run `asv publish` first"):
        publish.main(tmp_path, project / "results")


def test_a_foreign_package_is_refused(tmp_path, monkeypatch):
    def foreign(packages, folder):
        for package in packages:
            Path(folder, package.archive).write_bytes(b"something else")

    monkeypatch.setattr(vendor, "_pack", foreign)
    with pytest.raises(ValueError, match="SHA-512 differs"):
        vendor.archives(tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())


def test_files_are_those_that_asv_expects(tmp_path, monkeypatch):
    monkeypatch.setattr(vendor, "files", lambda cache: {"a.js": (b"mine", True), "b.js": (b"built", False)})
    tag = '<script src="https://host/{}" integrity="sha512-abc" crossorigin="x"></script>'.format
    assert vendor.bring(tag("b.js"), tmp_path) == '<script src="vendor/b.js"></script>'
    assert (tmp_path / "vendor" / "b.js").read_bytes() == b"built"
    for name, words in (("a.js", "expects another a.js"), ("c.js", "does not know")):
        with pytest.raises(ValueError, match=words):
            vendor.bring(tag(name), tmp_path)


def test_what_the_report_reads(report):
    assert report.name == "bench" and report.commits == 3 and report.threads == "1"
    assert report.versions == {"Python": "3.11", "numba": "0.68.1"}
    values = {(value.benchmark, *value.case.values()): value for value in report.values}
    value = values["training.Training.track_seconds", "NumPy", "2-4-1, batch 32"]
    assert value.commit == report.commit and value.samples == 5
    assert [value.low, value.median, value.high] == pytest.approx([3.6495e-5, 3.8416e-5, 4.0337e-5], rel=1e-4)
    case = "training.Training.track_seconds", "PyTorch", "784-128-10, batch 64"
    assert case not in values and report.median(*case) is None  # was not measured
    verdicts = {(c.against, c.case): c.verdict for c in comparisons(report)}
    assert verdicts["JAX", "2-4-1, batch 32"] == "even"
    assert verdicts["NumPy", "784-128-10, batch 64"] == "slower"
    assert not any("FMA" in against for against, _ in verdicts)


def test_another_environment_with_fewer_cases_hides_nothing(project, report, tmp_path):
    copy = shutil.copytree(project / "results", tmp_path / "results")
    last = max((copy / "bench").glob("*-py3.11.json"), key=lambda path: path.stat().st_mtime)
    other = json.loads(last.read_text())
    other["env_name"], other["results"] = (
        "other",
        {"memory.peakmem_fit": other["results"]["memory.peakmem_fit"]},
    )
    (copy / "bench" / "12345678-other.json").write_text(json.dumps(other))
    assert results.read(copy) == [report]


def test_without_results_it_says_what_to_do(tmp_path):
    with pytest.raises(FileNotFoundError, match="run the suite first"):
        results.read(tmp_path)


def test_a_report_without_comparisons_is_still_a_page(report):
    few = [value for value in report.values if value.module == "memory"]
    page = front.page(results.Report(**{**vars(report), "values": few}))
    assert "Nothing has been compared" in page and "90.0 MB" in page and 'id="tables"' not in page


@pytest.mark.parametrize("number, unit, expected", [
    (9.7e-6, "seconds", "9.70 µs"), (0.9996, "seconds", "1.00 s"), (61.5, "seconds", "61.5 s"),
    (0, "seconds", "0 ns"), (12.34, "x", "12.3x"), (3e8, "bytes", "300 MB"), (12345, "cost", "12,300 cost"),
    (3e-13, "relative error", "3e-13 relative error"), (2, "unit", "2.00"), (float("nan"), "x", "nanx"),
])  # fmt: skip
def test_quantities(number, unit, expected):
    assert text.quantity(number, unit) == expected


@pytest.mark.parametrize("low, high, unit, expected", [
    (9.7e-7, 1.2e-6, "seconds", "0.970 to 1.20 µs"), (1.5, 12.5, "x", "1.50 to 12.5x"),
    (1.24, 1.26, "of the time at the peak", "1.24 to 1.26"), (3, 3, "x", ""),
])  # fmt: skip
def test_spreads(low, high, unit, expected):
    assert text.spread(low, high, unit) == expected


def test_a_plot_is_xml_for_any_numbers():
    names = ["one <&>", *map(str, range(8))]
    lines = {name: [plot.Point(8, 1, 1, 1)] for name in names}  # one point, all at one place
    lines["wide"] = [plot.Point(x, 1e-9 * x**3, 5e-10 * x**3, 2e-9 * x**3) for x in (1, 7, 1e6)]
    root = ElementTree.fromstring(plot.picture([plot.Chart("a & b", "x", "seconds", lines)] * 3))
    texts = [
        element for element in root.iter("{http://www.w3.org/2000/svg}text") if element.text == "one <&>"
    ]
    assert len(texts) == 3
    heights = sorted(float(e.get("y")) for e in root[2] if "label" in e.get("class", ""))
    assert all(b - a > 13.9 for a, b in zip(heights, heights[1:], strict=False))


@pytest.fixture
def two_machines(project, tmp_path):
    """The same results, and older ones of another machine."""
    copy = shutil.copytree(project / "results", tmp_path / "results")
    shutil.copytree(copy / "bench", copy / "other")
    for path in (copy / "other").glob("*.json"):
        content = json.loads(path.read_text())
        about = content.get("params", content)
        about |= {"machine": "other", "cpu": "Another CPU"}
        path.write_text(json.dumps(content))
    return copy


def test_this_machine_comes_first(two_machines):
    for first in ("bench", "other"):
        reports = results.read(two_machines, first)
        assert sorted(report.name for report in reports) == ["bench", "other"] and reports[0].name == first
        page = front.page(reports[0], reports)
        assert page.count("<option") == 2 and 'value="index.html" selected' in page
        assert page.index('id="machine"') < page.index('id="tables"')
        assert f"machine={first}" in page and f"machine={reports[1].name}" not in page
    assert [front.file_of(report, reports) for report in reports] == ["index.html", "machine-bench.html"]


def test_all_tables_are_views(project, two_machines, tmp_path):
    shown = views.page(results.read(two_machines, "bench"))
    assert "Made-up CPU <8>, 2 CPUs" in shown and "numba 0.68.1" in shown
    assert "| 2-4-1, batch 32 | 1.92 µs | 2% | 20.8x | 93.6x | 1.04x |" in shown
    assert "| 784-128-10, batch 64 | 288 µs | 83% | 0.520x | – | 1.35x |" in shown
    assert "| 2-4-1, batch 32 | 1.92 µs | 960 ns (2.00x) |" in shown
    assert "| fit | 2.40 s | 192 ms |" in shown
    assert "| network | Made-up CPU <8> | Another CPU |" in shown and "## Tables: accuracy" in shown
    marked = "before\n<!-- {0}: begin -->\nold\n<!-- {0}: end -->\nafter\n"
    (tmp_path / "README.md").write_text(marked.format("speed") + marked.format("first"))
    (tmp_path / "docs" / "guide").mkdir(parents=True)
    guide = tmp_path / "docs" / "guide" / "real_tables.md"
    guide.write_text(marked.format("tables") + marked.format("others"))
    views.write(results.read(two_machines, "bench"), tmp_path)
    assert "| diamonds | 0." in guide.read_text() and "| Salaries | 0." in guide.read_text()
    written = (tmp_path / "README.md").read_text()
    assert written.startswith("before\n<!-- speed: begin -->\nMade-up") and "old" not in written
    assert "|\n<!-- speed: end -->\nafter\n" in written and "20.8x" in written
    assert "compiles the kernels" in written
    page = (tmp_path / "docs" / "performance.md").read_text()
    pictures = set(re.findall(r"\((\w+\.svg)\)", page)) | {"tables.svg"}
    assert "20.8x" in page and pictures == {path.name for path in (tmp_path / "docs").glob("*.svg")}
    drawn = (tmp_path / "docs" / "speedups.svg").read_text()
    assert "Speed-up on Another CPU" in drawn and "PyTorch, parameters of the network 17: 93.6x" in drawn
