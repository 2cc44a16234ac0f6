"""The figures of a sweep and its page: ``python -m llc.figures results/sweeps/NAME workflow/report``. Without JAX."""

from __future__ import annotations

import argparse
import hashlib
import shutil
import sys
from pathlib import Path

import matplotlib as mpl
from pandas.errors import EmptyDataError, ParserError

from llc import code
from llc.files import write_json, write_text
from llc.page import Drawn, page
from llc.planning.manifest import MADE, PAGE
from llc.plots import TITLES, along, diagnostics, heat, known, samplers, style, tables, traces, training
from llc.records import BadRun

KINDS = {
    "along": along.figures,
    "training": training.figures,
    "samplers": samplers.figures,
    "known": known.figures,
    "heat": heat.figures,
    "diagnostics": diagnostics.figures,
    "traces": traces.figures,
}


def write(folder: Path, captions: Path) -> None:
    """Write ``figures/KIND/*.svg`` and ``.pdf``, and ``report.html``, of a sweep's tables.

    Parameters
    ----------
    folder
        ``results/sweeps/NAME``, or ``results/sweeps/NAME/partial`` of an unfinished one.
    captions
        The folder with a reStructuredText file for each kind.
    """
    made_with, into = code.figures(captions), folder / "figures"
    table = tables.read(folder)
    drawn: list[Drawn] = []
    shutil.rmtree(into, ignore_errors=True)
    with mpl.rc_context(style.STYLE):
        for kind, title in TITLES.items():
            (into / kind).mkdir(parents=True)
            for name, figure in KINDS[kind](table) if len(table.estimates) else ():
                style.save(figure, into / kind / name)
                drawn.append(Drawn(kind, title.format(name), into / kind / f"{name}.svg"))
    text = page(folder, table, drawn, captions)
    write_text(folder / PAGE, text)
    files = sorted(path.relative_to(into).as_posix() for path in into.glob("*/*.*"))
    write_json(into / MADE, {"code": made_with, "files": files, "page": hashlib.sha256(text.encode()).hexdigest()})


def main() -> None:
    """Draw a sweep: ``python -m llc.figures results/sweeps/NAME workflow/report``."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("folder", type=Path, help="with the tables")
    parser.add_argument("captions", type=Path)
    args = parser.parse_args()
    try:
        write(args.folder, args.captions)
    except BadRun as error:
        sys.exit(str(error))
    except (EmptyDataError, ParserError) as error:
        sys.exit(f"{args.folder}: a table is damaged ({error}); delete summary.csv there and run the sweep again")


if __name__ == "__main__":
    main()
