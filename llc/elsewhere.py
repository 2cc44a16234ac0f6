"""Other data, on which L of each draw is recorded beside the loss that is sampled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from llc import npz, own
from llc.config import Job, require
from llc.data import Dataset, call_own


def load(job: Job, data: Dataset) -> dict[str, Dataset]:
    """Return the data sets that ``evaluate`` names, their rows as those of ``data``.

    Raises
    ------
    ConfigError
        If inputs or labels are not of the kind and shape of ``data``.
    """
    return {name: _fitting(name, source, job, data) for name, source in (job.evaluate or {}).items()}


def _fitting(name: str, source: Any, job: Job, data: Dataset) -> Dataset:
    if "rows" in source:
        x, y = data.x_test, data.y_test
    elif "path" in source:
        x, y = npz.load(Path(source["path"]), f"evaluate.{name}")
    else:
        x, y, *_ = call_own(f"evaluate.{name}", source["_target_"], {}, job.seed, own.folder(job))
    if y.dtype.kind == "f" and y.ndim == 1 and data.y.ndim == 2:
        y = y[:, None]
    of, wanted = ((a.dtype.kind, a.shape[1:], b.dtype.kind, b.shape[1:]) for a, b in ((x, y), (data.x, data.y)))
    what = (
        f"data whose rows are as those sampled on: {data.x.dtype} {data.x.shape}, labels {data.y.dtype} {data.y.shape}"
    )
    require(len(x) > 0 and of == wanted, f"evaluate.{name}", f"{x.dtype} {x.shape}, labels {y.dtype} {y.shape}", what)
    return Dataset(x, y, x[:0], y[:0], data.sigma)
