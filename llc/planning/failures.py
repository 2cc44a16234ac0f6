"""Why a job has no result, from the log that it left. Without JAX."""

from __future__ import annotations

import re
from pathlib import Path

from llc import locks
from llc.records import SNAKEMAKE_LOG, TARGET_INFO

OWN_ERROR = "train.py: "  # how it begins when it refuses a configuration
# A class by a name that says so, or a module's of two words: mine.BadShape: …
EXCEPTION = re.compile(r"^[A-Za-z_][\w.]*((Error|Exception|Interrupt|Exit|Failure)\b|\.[A-Z][a-z]+[A-Z]\w*:)")


def log_of(results: Path, run_id: str, target_id: str) -> Path:
    """Return the log of the job that stopped last: the run's, or its target's if that is not there."""
    target = results / "targets" / target_id
    folder = results / "runs" / run_id if (target / TARGET_INFO).exists() else target
    return folder / SNAKEMAKE_LOG


def reason(log: Path) -> str:
    """Return the last exception in a log, or how the log ends without one; or that its job has not ended."""
    if locks.held(log.parent):
        return "at work now"
    if not log.exists():
        return "not started"
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith("Set the environment variable HYDRA_FULL_ERROR")]
    for line in reversed(lines):
        if EXCEPTION.match(line):
            return line
    if lines and lines[-1].startswith(OWN_ERROR):
        return lines[-1]
    how = "stopped without an exception, as when it is killed or its own code exits"
    return f"{how}; its log ends: {lines[-1] if lines else '(empty)'}"
