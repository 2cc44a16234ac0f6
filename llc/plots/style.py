"""How figures look: one colour per sampler, one marker per status, and files that depend on the data alone."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.transforms import ScaledTranslation

WIDTH = 7.1  # inches: across both columns of a journal
# Okabe and Ito's colours, which the colour-blind tell apart; a dash pattern each for grey prints.
SAMPLERS: dict[str, tuple[str, str]] = {
    "sgld": ("#D55E00", "-"),
    "nuts": ("#0072B2", "--"),
    "hmc": ("#009E73", "-."),
    "mclmc": ("#CC79A7", ":"),
    "gibbs": ("#E69F00", (0, (5, 1, 1, 1, 1, 1))),  # type: ignore[dict-item]
}
OTHERS = ("#56B4E9", "#882255", "#999933", "#332288", "#777777")  # of samplers that have no colour yet
# Filled is ok and hollow is not; what has no value at all is a cross.
MARKERS = {
    "ok": "o",
    "not_converged": "s",
    "biased": "^",
    "negative": "v",
    "not_minimum": "D",
    "not_local": "p",
    "metastable": "h",
    "diverged": "x",
    "failed": "+",
}
OTHER_MARKER = "*"
ABOVE = 5.5  # points
MANY = 2_000  # points of one kind; more are an image inside the vector graphic
GREY = "#555555"
UNDER = 1.8  # height of the lines that estimates are held against: over the grid, below estimates
STYLE: Any = {
    "font.size": 8,
    "axes.labelsize": 8,
    "axes.titlesize": 8,
    "legend.fontsize": 7.5,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.minor.width": 0.4,
    "ytick.minor.width": 0.4,
    "lines.linewidth": 1.2,
    "grid.color": "#E4E4E4",
    "grid.linewidth": 0.5,
    "legend.frameon": False,
    "legend.handlelength": 2.6,
    "image.interpolation": "nearest",
    "savefig.dpi": 300,
    "svg.fonttype": "path",  # the same on every machine, whatever fonts it has
    "svg.hashsalt": "llc",  # the same ids each time
    "pdf.fonttype": 42,  # text that journals accept
}


def colour(sampler: str) -> str:
    """Return the colour of a sampler, the same in every figure."""
    return _look(sampler)[0]


def dashes(sampler: str) -> Any:
    """Return the dash pattern of a sampler's lines."""
    return _look(sampler)[1]


def _look(sampler: str) -> tuple[str, Any]:
    # A name of its own decides, so that another sampler beside it changes nothing.
    return SAMPLERS.get(sampler) or (OTHERS[sum(sampler.encode()) % len(OTHERS)], "-")


def order(sampler: str) -> float:
    """Return the height of a sampler's line over others: solid ones are below, so that dashes show on them."""
    return 2.5 + 0.01 * list(SAMPLERS).index(sampler) if sampler in SAMPLERS else 2.5


def marker(status: str) -> str:
    """Return the marker of a status."""
    return MARKERS.get(status, OTHER_MARKER)


def points(axes: Axes, x: Any, y: Any, status: str, colour: str, size: float = 4.0, **kwargs: Any) -> None:
    """Draw estimates of one status. Filled is ``ok``, hollow is anything else."""
    axes.plot(
        x, y, linestyle="none", marker=marker(status), markersize=size, color=colour,
        markerfacecolor=colour if status == "ok" else "none", markeredgewidth=0.6 if status == "ok" else 0.9,
        **{"rasterized": len(x) > MANY, "zorder": 3, **kwargs},
    )  # fmt: skip


def at_edge(axes: Axes, above: float = 0.0) -> dict[str, Any]:
    """Return how to draw points at a height that is a share of the panel's, and so many points above that."""
    root = axes.get_figure(root=True)
    assert root is not None
    lifted = axes.get_xaxis_transform() + ScaledTranslation(0, above / 72, root.dpi_scale_trans)
    return {"transform": lifted, "clip_on": False, "in_layout": False}


def above(axes: Axes) -> dict[str, Any]:
    """Return how to draw, at the height 1, what has no value: just above the panel."""
    return at_edge(axes, ABOVE)


def figure(height: float, width: float = WIDTH, hspace: float = 0.02) -> Figure:
    """Return an empty figure, in inches; ``hspace`` is between rows, as a share of a panel."""
    return Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(hspace=hspace))


def legend(figure: Figure, samplers: Iterable[str], statuses: Iterable[str], *more: Line2D) -> None:
    """Put one legend above all panels: what is in the figure, and no more."""
    handles = [Line2D([], [], color=colour(s), linestyle=dashes(s), label=escape(s)) for s in samplers]
    handles += more
    for status in sorted(statuses, key=lambda s: list(MARKERS).index(s) if s in MARKERS else len(MARKERS)):
        look: dict[str, Any] = {
            "marker": marker(status),
            "color": GREY,
            "markerfacecolor": GREY if status == "ok" else "none",
        }
        handles.append(Line2D([], [], linestyle="none", markersize=4, label=escape(status), **look))
    if not handles:
        return
    widest = 0.55 + 0.058 * max(len(str(handle.get_label())) for handle in handles)  # inches
    columns = min(len(handles), int(figure.get_figwidth() / widest))
    # Matplotlib fills columns; in rows it reads in order.
    ordered = [handles[i] for column in range(columns) for i in range(column, len(handles), columns)]
    figure.legend(handles=ordered, loc="outside upper left", ncols=columns, columnspacing=1.2, borderaxespad=0.2)


def dots(samplers: Iterable[str]) -> list[Line2D]:
    """Return the legend of samplers whose estimates are points without a line."""
    return [
        Line2D([], [], linestyle="none", marker="o", ms=5, mew=0, color=colour(s), label=escape(s)) for s in samplers
    ]


def note(figure: Figure, text: str) -> None:
    """Say below all panels what bars, lines and counts are."""
    lines = textwrap.fill(text, int(figure.get_figwidth() / 0.049))
    figure.supxlabel(lines, fontsize=6.8, color=GREY, x=0.005, ha="left")


def escape(text: object) -> str:
    """Return a text that Matplotlib takes as it is: a user's $ begins no formula."""
    return str(text).replace("$", r"\$")


def is_long(value: float) -> bool:
    """Return whether a number is to be written with a power of ten."""
    return value != 0 and not 1e-3 <= abs(value) < 1e5


def number(value: float, powers: bool | None = None) -> str:
    """Return a number as a label; ``powers``: with a power of ten, as others beside it are."""
    if value == 0 or not (is_long(value) or (powers and not 0.1 <= abs(value) < 1e3)):
        return f"{value:g}"
    exponent = math.floor(math.log10(abs(value)) + 1e-9)
    mantissa = f"{value / 10**exponent:.4g}"
    sign = "-" if mantissa == "-1" else ""
    return rf"${sign}10^{{{exponent}}}$" if mantissa in ("1", "-1") else rf"${mantissa}\times10^{{{exponent}}}$"


def plural(count: int, word: str) -> str:
    """Return a count with its word."""
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def save(figure: Figure, path: Path) -> None:
    """Write a figure as SVG and PDF; equal input gives equal bytes."""
    engine = figure.get_layout_engine()
    if isinstance(engine, ConstrainedLayoutEngine):
        engine.execute(figure)
        figure.set_layout_engine("none")  # once for both: it is half of the work
    figure.savefig(path.with_name(f"{path.name}.svg"), metadata={"Date": None})
    figure.savefig(path.with_name(f"{path.name}.pdf"), metadata={"CreationDate": None})


def grid(figure: Figure, panels: int, columns: int, **kwargs: Any) -> Sequence[Axes]:
    """Return so many axes in rows of ``columns``."""
    rows = -(-panels // columns)
    axes = figure.subplots(rows, columns, squeeze=False, **kwargs).ravel()
    for left in axes[panels:]:
        left.set_visible(False)
    return list(axes[:panels])
