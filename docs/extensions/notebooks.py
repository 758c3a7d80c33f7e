"""A notebook of the examples as a program of the gallery, with its texts between `# %%` lines."""

import json
import re


def program(path):
    """The text of a Python file; the markdown may be headings, paragraphs and `code`."""
    parts = []
    for cell in json.loads(path.read_text())["cells"]:
        text = "".join(cell["source"])
        if cell["cell_type"] == "code":
            parts.append("# %%\n" + text)
            continue
        text = re.sub(r"^# (.+)$", lambda m: f"{m[1]}\n{'=' * len(m[1])}", text, flags=re.MULTILINE)
        text = re.sub(r"^## (.+)$", lambda m: f"{m[1]}\n{'-' * len(m[1])}", text, flags=re.MULTILINE)
        text = re.sub(r"`([^`]+)`", r"``\1``", text).replace("*", r"\*").replace("A_prev", "``A_prev``")
        if not parts:
            parts.append(f'"""\n{text}\n"""')
        else:
            parts.append("# %%\n" + "\n".join(f"# {line}".rstrip() for line in text.splitlines()))
    return "\n\n".join(parts) + "\n"
