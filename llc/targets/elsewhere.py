"""Other data, on which L of each draw is recorded beside the loss that is sampled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from llc.config import Job, require
from llc.targets import losses
from llc.targets.data import Dataset, call_own, require_alike
from llc.targets.target import Problem
from llc.user import npz, own


def load(job: Job, problem: Problem) -> dict[str, Dataset]:
    """Return the data sets that ``evaluate`` names, their rows as those of the ``problem``.

    Raises
    ------
    ConfigError
        If inputs or labels are not of the kind and shape of those, or classes not outputs of the model.
    """
    return {name: _fitting(name, source, job, problem) for name, source in (job.evaluate or {}).items()}


def _fitting(name: str, source: Any, job: Job, problem: Problem) -> Dataset:
    key, data = f"evaluate.{name}", problem.data
    if "rows" in source:
        x, y = data.x_test, data.y_test
    elif "path" in source:
        x, y = npz.load(Path(source["path"]), key, source.get("sha256"))
    else:
        x, y, *_ = call_own(key, source["_target_"], {}, job.seed, own.folder(job))
    if y.dtype.kind == "f" and y.size == len(y) and data.y.size == len(data.y):
        y = y.reshape(len(y), *data.y.shape[1:])  # a flat vector and a column of labels are the same
    require(len(x) > 0, key, source, "data with rows; data.n_data is what leaves some for a test")
    require_alike(key, x, y, data)
    losses.check_labels(key, y, job, problem.model, data)
    return Dataset(x, y, x[:0], y[:0], data.sigma)
