"""One finished sweep as one file, that is read and run again without the project. Without JAX."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from llc import records
from llc.config import ConfigError
from llc.files import whole
from llc.planning import plan
from llc.sweeps import sweep
from llc.sweeps.sweepjob import SweepJob
from llc.user import importable

PROJECT = ("Snakefile", "train.py", "pyproject.toml", "README.md", "conf", "envs", "llc", "profiles", "workflow")


def archive(root: Path, name: str, file: Path) -> list[str]:
    """Write one sweep, with all that it takes to read it and to run it again, as a ``tar.gz``.

    Its runs, their targets, its tables, the configuration, the code, and the user's own code and data. Unpacked,
    ``snakemake -n`` has nothing to do in it.

    Returns
    -------
    What to know of it: files that its jobs depend on and that are outside the project, which are not in it; and code
    that is not the one that its runs were made by.

    Raises
    ------
    ConfigError
        If the sweep is not finished.
    """
    jobs = jobs_of(root, name)
    planned = plan.make(name, jobs, root / "results", keep_code=True)
    tables = root / "results" / "sweeps" / name
    whole_tables = (tables / "summary.csv").exists() and not plan.tables_stale(planned, root / "results")
    if planned.to_run() or not whole_tables:
        raise ConfigError(
            f"sweep={name}: {len(planned.to_run())} jobs to run, then the tables; finish it first\n{plan.text(planned)}"
        )
    folders = [tables, *(root / "results" / "runs" / job.run_id for job in jobs)]
    ids = {job.target_id for job in jobs} | own_targets(root, (job.run_id for job in jobs))
    targets = (root / "results" / "targets" / target_id for target_id in sorted(ids))
    folders += [target for target in targets if target.exists()]
    # Of installed packages it is the version that counts.
    named = {file for job in jobs for file in job.files if not importable.installed(Path(file))}
    files = {Path(os.path.normpath(file)) for file in named}
    inside = {path for path in files if path.is_relative_to(root) and path.resolve().is_relative_to(root.resolve())}
    with whole(file) as temporary, tarfile.open(temporary, "w:gz") as tar:
        project = [root / part for part in PROJECT if (root / part).exists()]
        for path in [*project, *folders, *sorted(inside)]:
            tar.add(path, Path(name) / path.relative_to(root), filter=_unless_junk)
    remarks = [f"not in it, because it is outside the project: {path}" for path in sorted(files - inside)]
    if changed := sorted({module for state in planned.runs.values() for module in state.why}):
        remarks.append(f"not all made by the code in it ({', '.join(changed)}): --config code=keep takes them for done")
    return remarks


def _unless_junk(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if Path(member.name).name in ("__pycache__", ".lock") else member


def own_targets(root: Path, run_ids: Iterable[str]) -> set[str]:
    """Return the targets that finished runs are around: not the sweep's any more where it got more checkpoints."""
    found: set[str] = set()
    for run_id in run_ids:
        with suppress(records.BadRun, KeyError):
            found.add(records.read_info(root / "results" / "runs" / run_id)["target_id"])
    return found


def jobs_of(root: Path, name: str) -> list[SweepJob]:
    """Return the jobs of a sweep of the project in folder ``root``."""
    return sweep.load(name, root / "conf", root, root / ".cache" / "plans")
