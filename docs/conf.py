"""How the site is built: python -m sphinx -W -b html docs docs/_build/html.

FASTNN_GALLERY=few in the environment gives each example a few epochs: for work on the text alone.
"""

import os
import shutil
import sys
import warnings
from pathlib import Path

DOCS = Path(__file__).parent
ROOT = DOCS.parent
sys.path[:0] = [str(DOCS / "extensions"), str(ROOT), str(ROOT / "kernels")]
os.environ.setdefault("MPLBACKEND", "Agg")

from sphinx_gallery.sorting import FileNameSortKey  # noqa: E402

import fastnn  # noqa: E402
import notebooks  # noqa: E402

project, author = "fastnn", "the fastnn developers"
release = version = fastnn.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.doctest",
    "numpydoc",
    "myst_parser",
    "sphinx_gallery.gen_gallery",
    "mathml",
    "plain_docstrings",
]
myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 3
templates_path = ["_templates"]
exclude_patterns = ["_build", "_work", "_templates", "gallery/*.ipynb", "gallery/*.py"]
default_role = "code"

autosummary_generate = True
autodoc_typehints = "none"
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
doctest_global_setup = "import numpy as np\nfrom fastnn import *\n"
# The page of figures has tables below its title, on the third level; docstrings that are inherited from
# scikit-learn name the terms of its glossary.
suppress_warnings = ["config.cache", "myst.header", "ref.term"]

html_theme = "pydata_sphinx_theme"
html_title = "fastnn"
html_favicon = "_static/icon.svg"
html_math_renderer = "mathml"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_context = {"default_mode": "auto"}
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "logo": {"text": "fastnn"},
    "header_links_before_dropdown": 8,
    "navbar_align": "left",
    "show_prev_next": True,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
html_sidebars = dict.fromkeys(("index", "start", "design", "faq", "performance"), [])
copyright = "2026, the fastnn developers; BSD-3-Clause"

# Examples write files where they run, so they run in a copy.
COPY = DOCS / "_work" / "examples"
# Estimators that a few epochs have not finished say so; that is no news on a page.
warnings.filterwarnings("ignore", message="Stochastic Optimizer")
sphinx_gallery_conf = {
    "examples_dirs": [str(COPY)],
    "gallery_dirs": ["gallery"],
    "filename_pattern": r"\.py$",
    "within_subsection_order": FileNameSortKey,
    "download_all_examples": False,
    "show_memory": False,
    "show_signature": False,
    "remove_config_comments": True,
    "min_reported_time": 1e9,
    "abort_on_example_error": True,
    "default_thumb_file": str(DOCS / "_static" / "icon.svg"),
    "reset_argv": lambda gallery, script: ["2"] if os.environ.get("FASTNN_GALLERY") == "few" else [],
}


def _copy_examples():
    """The programs, which keep their times so that what has not changed does not run again."""
    shutil.rmtree(COPY, ignore_errors=True)
    COPY.mkdir(parents=True)
    for path in (ROOT / "examples").iterdir():
        if path.suffix in (".py", ".rst"):
            shutil.copy2(path, COPY)
        elif path.suffix == ".ipynb":
            (COPY / path.name).with_suffix(".py").write_text(notebooks.program(path))


_copy_examples()
