"""How near a sweep's estimates are to what is known: one row per sampler and reference. Without JAX."""

from __future__ import annotations

import numpy as np
import pandas as pd
from jaxtyping import Float

CONVERGED = "gibbs"  # is exact but for its own standard error
REFERENCES = ("llc_exact", CONVERGED, "llc_true")
WITHIN = 4.0  # standard errors
SETTLED = ("ok", "metastable")  # verdicts of which λ̂ has converged
COLUMNS = ["sampler", "reference", "n", "mean_error", "sd_error", "mean_abs_error", "order"]
COLUMNS += [column for status in SETTLED for column in (f"n_{status}", f"{status}_within")]


def accuracy(estimates: pd.DataFrame) -> pd.DataFrame:
    """Return how near the estimates are to each reference, empty where nothing is known.

    Parameters
    ----------
    estimates
        The table ``estimates.csv``: a row per job and sampler.

    Returns
    -------
    DataFrame
        ``n``: estimates that have the reference. ``mean_error``, ``sd_error``,
        ``mean_abs_error``: of λ̂/reference − 1. ``order``: share of pairs of jobs that λ̂ puts in
        the reference's order. ``n_ok``: estimates of status ``ok``; ``ok_within``: share of these
        within 4 standard errors, of the estimate and of the reference together; and the same of
        ``metastable``.
    """
    if "llc_mean" not in estimates:
        return pd.DataFrame(columns=COLUMNS)
    rows = []
    for sampler, own in with_gibbs(estimates).groupby("sampler"):
        for reference in REFERENCES:
            found = own[own["llc_mean"].notna() & own[reference].notna() & (own[reference] != 0)]
            if reference != sampler and len(found):
                rows.append(_row(str(sampler), reference, found))
    return pd.DataFrame(rows, columns=COLUMNS)


def with_gibbs(estimates: pd.DataFrame) -> pd.DataFrame:
    """Return the estimates with what ``gibbs`` found for the same job and its standard error, where it is ok."""
    found = estimates[(estimates["sampler"] == CONVERGED) & (estimates["status"] == "ok")].set_index("job_id")
    job = estimates["job_id"]
    return estimates.assign(gibbs=job.map(found["llc_mean"]), gibbs_mcse=job.map(found["llc_mcse"]))


def _row(sampler: str, reference: str, found: pd.DataFrame) -> dict[str, object]:
    value, truth = found["llc_mean"].to_numpy(float), found[reference].to_numpy(float)
    error = value / truth - 1
    own = found["gibbs_mcse"].to_numpy(float) if reference == CONVERGED else 0.0
    near = np.abs(value - truth) <= WITHIN * np.hypot(found["llc_mcse"].to_numpy(float), own)
    row: dict[str, object] = {
        "sampler": sampler,
        "reference": reference,
        "n": len(found),
        "mean_error": error.mean(),
        "sd_error": error.std(ddof=1) if len(error) > 1 else None,
        "mean_abs_error": np.abs(error).mean(),
        "order": _order(value, truth),
    }
    for status in SETTLED:
        own_status = (found["status"] == status).to_numpy()
        row[f"n_{status}"] = int(own_status.sum())
        row[f"{status}_within"] = near[own_status].mean() if own_status.any() else None
    return row


def _order(value: Float[np.ndarray, " n"], truth: Float[np.ndarray, " n"]) -> float | None:
    """Return the share of pairs in the order of the truth, of those that differ there; ten thousand are 50 million."""
    agree = pairs = 0
    for i in range(len(truth)):
        differ = truth[i + 1 :] != truth[i]
        agree += int((((value[i + 1 :] > value[i]) == (truth[i + 1 :] > truth[i])) & differ).sum())
        pairs += int(differ.sum())
    return agree / pairs if pairs else None
