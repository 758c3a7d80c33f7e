"""The drawings of the page about the design: python docs/drawings/draw.py writes them beside this file."""

from pathlib import Path

HERE = Path(__file__).parent
STYLE = """
text { font: 14.5px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #24292f; }
.small { font-size: 12.5px; fill: #57606a; }
.middle { text-anchor: middle; }
.bold { font-weight: 600; }
.box { fill: #eef3fb; stroke: #57606a; }
.a { fill: #cfe2ff; stroke: #0a58ca; }
.b { fill: #ffe3d0; stroke: #b8420e; }
.c { fill: #d3efdc; stroke: #157347; }
.pad { fill: #f0f0f0; stroke: #b0b5ba; stroke-dasharray: 3 2; }
.line { stroke: #57606a; fill: none; stroke-width: 1.5; }
.wall { stroke: #24292f; stroke-width: 3; }
"""


class Drawing:
    def __init__(self, width, height, title):
        self.size, self.title, self.parts = (width, height), title, []

    def box(self, x, y, w, h, kind="box", text="", small=""):
        self.parts.append(f'<rect class="{kind}" x="{x}" y="{y}" width="{w}" height="{h}" rx="2"/>')
        middle = y + h / 2 + (5 if not small else -2)
        if text:
            self.text(x + w / 2, middle, text, "middle")
        if small:
            self.text(x + w / 2, middle + 16, small, "small middle")

    def text(self, x, y, text, kind=""):
        text = text.replace("&", "&amp;").replace("<", "&lt;")
        self.parts.append(f'<text class="{kind}" x="{x}" y="{y}">{text}</text>')

    def line(self, x1, y1, x2, y2, kind="line", arrow=False):
        head = ' marker-end="url(#head)"' if arrow else ""
        self.parts.append(f'<line class="{kind}" x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}"{head}/>')

    def write(self, name):
        w, h = self.size
        head = (
            '<marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
            'orient="auto"><path d="M0 0 L8 4 L0 8 z" fill="#57606a"/></marker>'
        )
        (HERE / name).write_text(
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {w} {h}" width="{w}" height="{h}" '
            f'role="img" aria-label="{self.title}">\n<style>{STYLE}</style>\n<defs>{head}</defs>\n'
            f'<rect width="{w}" height="{h}" fill="#ffffff"/>\n' + "\n".join(self.parts) + "\n</svg>\n"
        )


def lanes():
    """What stands in the lanes of a vector, in three layouts."""
    drawing = Drawing(720, 250, "A vector's lanes hold neighbouring units, rows, or networks")
    columns = (
        ("units", "z1 z2 z3 z4", "neighbouring outputs of a layer", "a", "wide layers"),
        ("samples", "r1 r2 r3 r4", "rows of the batch", "b", "narrow layers, many rows"),
        ("networks", "n1 n2 n3 n4", "members of a fleet", "c", "many small networks"),
    )
    for i, (name, values, meaning, kind, use) in enumerate(columns):
        x = 20 + 236 * i
        drawing.text(x + 104, 28, f"{name} in lanes", "bold middle")
        for j, value in enumerate(values.split()):
            drawing.box(x + 52 * j, 44, 52, 40, kind, value)
        drawing.text(x + 104, 104, meaning, "small middle")
        drawing.line(x + 104, 116, x + 104, 138, arrow=True)
        drawing.box(x, 144, 208, 44, "box", "sum += vector * scalar")
        drawing.text(x + 104, 212, use, "small middle")
    drawing.text(360, 240, "One operand differs from lane to lane, the other is one element for all of them.",
                 "small middle")  # fmt: skip
    drawing.write("lanes.svg")


def panels():
    """How a matrix of weights is cut into panels."""
    drawing = Drawing(720, 320, "The user's matrix row by row, and its column panels")
    drawing.text(140, 24, "W as the user has it (n_in, n_out)", "bold middle")
    rows, width = 6, 20
    kinds = ["a"] * 3 + ["b"] * 3 + ["c"] * 2
    for i in range(rows):
        for j, kind in enumerate(kinds):
            drawing.box(30 + 28 * j, 40 + 26 * i, 28, 26, kind)
    drawing.text(140, 222, "in memory: row after row; a column's", "small middle")
    drawing.text(140, 238, "elements are a whole row apart", "small middle")
    drawing.line(270, 118, 312, 118, arrow=True)
    drawing.text(520, 24, "while a fit runs: column panels", "bold middle")
    x = 330
    for name, count, kind, padding in (
        ("panel 0", 3, "a", 0),
        ("panel 1", 3, "b", 0),
        ("panel 2", 2, "c", 1),
    ):
        for i in range(rows):
            for j in range(count + padding):
                drawing.box(x + 30 * j, 40 + 26 * i, 30, 26, kind if j < count else "pad")
        drawing.text(x + 15 * (count + padding), 222, name, "small middle")
        x += 30 * (count + padding) + width
    drawing.text(520, 244, "each is contiguous: a tile reads one stream;", "small middle")
    drawing.text(520, 260, "the last is filled up with zeros, so no lane is masked", "small middle")
    drawing.text(360, 300, "The gradient and the optimizer's running means have the same layout; "
                 "W is written back when a slice ends.", "small middle")  # fmt: skip
    drawing.write("panels.svg")


def phases():
    """A step of two workers: rows, barrier, blocks of parameters, barrier."""
    drawing = Drawing(720, 300, "A step: rows, a barrier, columns, a barrier")
    drawing.text(220, 26, "rows", "bold middle")
    drawing.text(540, 26, "columns", "bold middle")
    for i, (rows, blocks) in enumerate(
        (("rows 0 to 63", "blocks 0 to 4"), ("rows 64 to 127", "blocks 5 to 9"))
    ):
        y = 48 + 92 * i
        drawing.text(14, y + 30, f"worker {i}", "bold")
        drawing.box(90, y, 88, 52, "a", "forward", rows)
        drawing.box(184, y, 70, 52, "a", "cost", "and dZ")
        drawing.box(260, y, 108, 52, "a", "backward", "to every dZ")
        drawing.box(410, y, 110, 52, "b", "dW, db", "over all rows")
        drawing.box(526, y, 100, 52, "b", "optimizer", blocks)
        drawing.box(632, y, 50, 52, "b", "W'")
    for x in (389, 700):
        drawing.line(x, 38, x, 206, "wall")
        drawing.text(x - (0 if x < 500 else 8), 224, "barrier", "small middle")
    drawing.text(
        360, 258, "Two barriers a step, whatever the depth. No sum is split over workers:", "small middle"
    )
    drawing.text(360, 276, "so its order, and each bit of the result, is the same for any number of them.",
                 "small middle")  # fmt: skip
    drawing.write("phases.svg")


def leaves():
    """One loop calls leaves by the addresses in its record."""
    drawing = Drawing(720, 300, "Python makes a record; the loop calls leaves by the addresses in it")
    drawing.box(20, 40, 150, 64, "c", "Python", "checks, draws, allocates")
    drawing.line(170, 72, 226, 72, arrow=True)
    drawing.box(232, 40, 190, 64, "box", "the record", "sizes, options, addresses")
    drawing.line(422, 72, 478, 72, arrow=True)
    drawing.box(484, 40, 216, 64, "a", "the loop", "one for all types and options")
    drawing.text(592, 128, "compiled once, without types", "small middle")
    names = ("product", "activation", "cost", "optimizer", "dropout")
    for i, name in enumerate(names):
        x = 20 + 138 * i
        drawing.box(x, 196, 124, 52, "b", name, "float32 | float64")
        drawing.line(592, 136, x + 62, 192, arrow=True)
    drawing.text(360, 276, "leaves: each compiled alone, when a run first needs it, and kept on disk",
                 "small middle")  # fmt: skip
    drawing.write("leaves.svg")


if __name__ == "__main__":
    for draw in (lanes, panels, phases, leaves):
        draw()
