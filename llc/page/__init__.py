"""One page of a sweep, in one file: figures, summary, every run, methods. It needs no network and no server."""

from __future__ import annotations

import base64
import csv
import html
import json
import math
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path
from string import Template
from typing import Any, NamedTuple

import pandas as pd
from docutils.core import publish_parts

from llc.page import methods
from llc.page.runs import details
from llc.plots.tables import Tables

HERE = Path(__file__).parent
DIGITS = 6  # significant, of a number on the page; the tables beside it have all


class Drawn(NamedTuple):
    """A figure that has been written."""

    kind: str
    title: str
    path: Path  # of the SVG


def page(folder: Path, tables: Tables, drawn: Sequence[Drawn], captions: Path) -> str:
    """Return the page of a sweep. Whatever a user wrote is text in it, never markup.

    Parameters
    ----------
    folder
        With ``summary.csv`` and, where something is known, ``accuracy.csv``.
    """
    with (folder / "summary.csv").open(encoding="utf-8", newline="") as file:
        summary = list(csv.DictReader(file))
    seen = details(tables, [row["run_id"] for row in summary])
    data = {
        "summary": {"columns": list(summary[0]) if summary else [], "rows": [_cells(row.values()) for row in summary]},
        "estimates": _estimates(tables.estimates),
        **seen.shown,
    }
    accuracy = folder / "accuracy.csv"
    return Template((HERE / "page.html").read_text(encoding="utf-8")).substitute(
        name=html.escape(tables.name),
        partial="" if folder.name == tables.name else " (unfinished)",
        style=(HERE / "page.css").read_text(encoding="utf-8"),
        script=(HERE / "page.js").read_text(encoding="utf-8"),
        verdicts=_table(_verdicts(tables)),
        accuracy=f"<h3>Against what is known</h3>{_table(_read(accuracy))}" if accuracy.exists() else "",
        failures=f"<h3>Jobs without a result</h3>{_table(_failures(tables))}" if len(tables.failures) else "",
        figures=_figures(drawn, captions),
        data=_json(data),
        methods=_methods(methods.used(seen.configs, seen.known)),
    )


def _json(data: object) -> str:
    """Return JSON for a script element, which no text in it can end."""
    return json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


def _cells(texts: Iterable[str]) -> list[str | int | float | None]:
    return [_cell(text) for text in texts]


def _cell(text: str) -> str | int | float | None:
    """Return a cell as a number where a table writes that number so; a digest or 007 stays a text."""
    for kind in (int, float):
        try:
            number = kind(text)
        except ValueError:
            continue
        if str(number) == text and math.isfinite(number):
            return number if kind is int else float(f"{number:.{DIGITS}g}")
    return text or None


def _estimates(estimates: pd.DataFrame) -> dict[str, Any]:
    first = list(estimates.columns).index("sampler")
    columns = ["run_id", *estimates.columns[first:]]
    rows = estimates[columns].astype(object).where(estimates[columns].notna(), None).to_numpy().tolist()
    return {
        "columns": columns,
        "rows": [[float(f"{v:.{DIGITS}g}") if isinstance(v, float) else v for v in row] for row in rows],
    }


def _verdicts(tables: Tables) -> list[dict[str, Any]]:
    """Return how many estimates of each sampler have each status."""
    if tables.estimates.empty:
        return []
    statuses = dict.fromkeys(["ok", *sorted(set(tables.estimates["status"]))])
    return [
        {"sampler": sampler, **{status: int((own["status"] == status).sum()) for status in statuses}, "all": len(own)}
        for sampler, own in tables.estimates.groupby("sampler")
    ]


def _failures(tables: Tables) -> list[dict[str, Any]]:
    return [
        {key: row[key] for key in ("job_id", "run_id", "reason", "log", "overrides")}
        for row in tables.failures.to_dict("records")
    ]


def _read(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8", newline="") as file:
        return [{key: _cell(value) for key, value in row.items()} for row in csv.DictReader(file)]


def _table(rows: Sequence[dict[str, Any]]) -> str:
    """Return a plain table."""
    if not rows:
        return "<p>none</p>"
    head = "".join(f"<th>{html.escape(key)}</th>" for key in rows[0])
    cells = ["".join(f"<td>{html.escape(_text(value))}</td>" for value in row.values()) for row in rows]
    return f"<div class=wide><table><tr>{head}</tr>{''.join(f'<tr>{row}</tr>' for row in cells)}</table></div>"


def _text(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _figures(drawn: Sequence[Drawn], captions: Path) -> str:
    """Return the figures, those of a kind under one caption."""
    parts = []
    for kind, figures in groupby(drawn, key=lambda figure: figure.kind):
        text = (captions / f"{kind}.rst").read_text(encoding="utf-8")
        caption = publish_parts(text, writer="html5")["body"]
        images = "".join(map(_image, figures))
        parts.append(f'<figure id="{kind}">{images}<figcaption>{caption}</figcaption></figure>')
    return "".join(parts)


def _image(figure: Drawn) -> str:
    data, title = base64.b64encode(figure.path.read_bytes()).decode(), html.escape(figure.title)
    return f'<h3>{title}</h3><img src="data:image/svg+xml;base64,{data}" alt="{title}">'


def _methods(found: Sequence[methods.Method]) -> str:
    said = "".join(f"<li>{html.escape(method.what)}: {html.escape(method.key)}</li>" for method in found)
    bibtex = "\n\n".join(method.bibtex for method in found)
    link = base64.b64encode(f"{bibtex}\n".encode()).decode()
    return (
        f'<ul>{said}</ul><p><a download="references.bib" href="data:text/plain;charset=utf-8;base64,{link}">'
        f"references.bib</a></p><pre id=bibtex>{html.escape(bibtex)}</pre>"
    )
