"""A run as one HTML file, which needs no network: tables, limit, curves, cases (ours)."""

import base64
import html
import io
import json
from collections.abc import Sequence
from pathlib import Path
from string import Template

import numpy as np
import pandas as pd

from keras_gans.errors import printable
from keras_gans.files import replacing

PAGE = Template("""<!doctype html>
<meta charset="utf-8"><title>$title</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto }
table { border-collapse: collapse; margin: 1rem 0; display: block; overflow-x: auto }
td, th { padding: .2rem .7rem; text-align: right; border-bottom: 1px solid #ccc }
td:first-child, th:first-child { text-align: left }
img { max-width: 100% } canvas, input { width: 100% }
</style>
<h1>$title</h1>
<p>$about</p>
$tables
<h2>From which score on is an image defective?</h2>
<p>Test images, by the score of DefectGAN. Move the limit; the run chose $limit.</p>
<canvas id="plot" width="900" height="260"></canvas>
<input id="limit" type="range" min="0" max="1000" aria-label="limit">
<p id="told"></p>
<h2>Training</h2>
<img src="$curves" alt="losses by epoch">
<h2>Cases</h2>
<p>By quantiles of the IoU, the worst of each type first. The last row has no defect.</p>
<img src="$cases" alt="images, masks and truth">
<script>
const good = $good, bad = $bad, chosen = $limit
const most = Math.max(chosen, ...good, ...bad) * 1.02 || 1
const plot = document.getElementById("plot"), draw = plot.getContext("2d")
const slider = document.getElementById("limit"), told = document.getElementById("told")
const over = (scores, limit) => scores.filter(score => score > limit).length
const share = (part, all) => all ? (100 * part / all).toFixed(1) + " %" : "unknown"
function curve(colour, value) {
  draw.strokeStyle = colour; draw.beginPath()
  for (let x = 0; x <= 900; x++) draw.lineTo(x, 230 - 220 * value(x / 900 * most))
  draw.stroke()
}
function show() {
  const limit = slider.value / 1000 * most, alarms = over(good, limit)
  const misses = bad.length - over(bad, limit)
  draw.clearRect(0, 0, 900, 260); draw.lineWidth = 2
  if (good.length) curve("#c33", x => over(good, x) / good.length)
  if (bad.length) curve("#36c", x => 1 - over(bad, x) / bad.length)
  draw.strokeStyle = "#000"; draw.strokeRect(900 * limit / most, 5, 0.5, 230)
  draw.font = "14px sans-serif"
  draw.fillStyle = "#c33"; draw.fillText("false alarms", 5, 252)
  draw.fillStyle = "#36c"; draw.fillText("misses", 110, 252)
  told.textContent = `limit $${limit.toFixed(2)}: false alarms $${alarms} of $${good.length} `
    + `($${share(alarms, good.length)}), misses $${misses} of $${bad.length} `
    + `($${share(misses, bad.length)})`
}
slider.value = 1000 * chosen / most; slider.oninput = show; show()
</script>
""")


def write_html(
    path: Path,
    title: str,
    tables: Sequence[tuple[Sequence[str], Sequence[Sequence[str]]]],
    tested: pd.DataFrame,
    limit: float,
) -> None:
    """Writes the page beside a run's `detections.png` and `defectgan/metrics.jsonl`.

    Args:
        path: of the page, in the run's folder.
        title: what was measured.
        tables: of texts: headings, and rows.
        tested: `Measured.rows` of one method.
        limit: the score above which it counts an image as defective.
    """
    folder, defective = path.parent, tested["defective"]
    scores = tested["score"].round(4)
    values = {
        "title": html.escape(printable(title.partition(":")[0])),
        "about": html.escape(printable(title.partition(":")[2].strip())),
        "tables": "\n".join(_table(*each) for each in tables),
        "good": json.dumps(sorted(scores[~defective])),
        "bad": json.dumps(sorted(scores[defective])),
        "limit": json.dumps(round(float(limit), 4)),
        "curves": _embedded(_curves(folder / "defectgan" / "metrics.jsonl")),
        "cases": _embedded((folder / "detections.png").read_bytes()),
    }
    with replacing(path) as temporary:
        temporary.write_text(PAGE.substitute(values), encoding="utf-8")


def _table(headings, rows):
    def line(tag, cells):
        texts = (html.escape(printable(cell)) for cell in cells)
        return "<tr>" + "".join(f"<{tag}>{text}</{tag}>" for text in texts)

    return "\n".join(
        ["<table>", line("th", headings), *(line("td", r) for r in rows), "</table>"]
    )


def _embedded(png):
    return "data:image/png;base64," + base64.b64encode(png).decode()


def _curves(log):
    """All figures of a training by epoch, as a PNG."""
    from matplotlib.figure import Figure

    rows = pd.read_json(log, lines=True) if log.exists() else pd.DataFrame({"epoch": []})
    names = [
        name
        for name in rows.select_dtypes("number").columns
        if name not in ("epoch", "seconds", "step") and np.isfinite(rows[name]).any()
    ]
    figure = Figure((9, 2.2 * max(1, -(-len(names) // 3))), dpi=100, layout="constrained")
    for number, name in enumerate(names, 1):
        axes = figure.add_subplot(-(-len(names) // 3), 3, number)
        axes.plot(rows["epoch"], rows[name])
        axes.set_title(name, fontsize=9)
        axes.tick_params(labelsize=7)
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()
