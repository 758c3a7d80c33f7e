"""Docstrings here are plain text: what reStructuredText would take for markup is a name or a formula."""

import re

CODE = re.compile(r"(`[^`]*`)")
# A name's last underscore, stars, bars. numpydoc escapes the name that a section's entry ends with.
MARKUP = re.compile(r"(?<=\w)_(?!\w)|\*|\|")
NAMES = re.compile(r"(?<=\w)_(?=,)")
REFERENCE = re.compile(r":ref:`([^<`]+?)\s*(?:<[^>]*>)?`")


def _escaped(line, pattern):
    parts = CODE.split(line)
    return "".join(part if part.startswith("`") else pattern.sub(r"\\\g<0>", part) for part in parts)


def _escape(app, what, name, obj, options, lines):
    if getattr(obj, "__module__", "") and str(getattr(obj, "__module__", "")).startswith("sklearn"):
        lines[:] = REFERENCE.sub(r"\1", "\n".join(lines)).split("\n")  # to pages of scikit-learn's site
        return
    has_sections = any(re.fullmatch(r"-{3,}", line) for line in lines)
    example = False
    for i, line in enumerate(lines):
        example = line.lstrip().startswith(">>> ") or (example and bool(line.strip()))
        if not example:
            entry = has_sections and not line.startswith(" ")
            lines[i] = _escaped(line, NAMES if entry else MARKUP)


def setup(app):
    app.connect("autodoc-process-docstring", _escape, priority=100)  # before numpydoc
    return {"parallel_read_safe": True, "parallel_write_safe": True}
