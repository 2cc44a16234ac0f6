"""What is kept on disk, and what of it no sweep needs: list, delete, archive. Without JAX.

``python -m llc.housekeeping list``, ``… delete``, ``… archive NAME``, in the project's folder.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import sys
import tarfile
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from llc import locks, own, plan, records, sweep
from llc.config import ConfigError, require
from llc.files import whole
from llc.joblist import read_jobs
from llc.records import METRICS, TARGET_INFO
from llc.sweepjob import SweepJob

ID = re.compile(r"[0-9a-f]{12}")
COMPLETE = {"runs": METRICS, "targets": TARGET_INFO}  # the file that makes each complete
PROJECT = ("Snakefile", "train.py", "pyproject.toml", "README.md", "conf", "envs", "llc", "profiles", "workflow")


@dataclass(frozen=True)
class Kept:
    """A folder of ``runs/`` or ``targets/``."""

    kind: str
    path: Path
    size: int  # bytes
    needed: bool  # some sweep refers to it

    @property
    def complete(self) -> bool:
        """Whether it holds a result."""
        return (self.path / COMPLETE[self.kind]).exists()


def inventory(root: Path) -> list[Kept]:
    """Return every run and target, and whether a sweep refers to it.

    A sweep is a file of ``conf/sweep/``, or a table in ``results/sweeps/`` whose file is gone.

    Raises
    ------
    ConfigError
        If a sweep cannot be read: what it refers to would be unknown.
    """
    needed = _needed(root)
    return [
        Kept(kind, path, _size(path), path.name in needed)
        for kind in COMPLETE
        for path in sorted((root / "results" / kind).glob("*"))
        if ID.fullmatch(path.name) and path.is_dir()
    ]


def _needed(root: Path) -> set[str]:
    names = sweep.names(root / "conf")
    ids = {i for name in names for job in _jobs(root, name) for i in (job.run_id, job.target_id)}
    for table in (root / "results" / "sweeps").glob("*/jobs.csv"):
        if table.parent.name not in names:
            jobs = read_jobs(table)
            ids |= {*jobs["run_id"], *jobs["target_id"]}
    return ids | _own_targets(root, ids)


def _own_targets(root: Path, run_ids: Iterable[str]) -> set[str]:
    """Return the targets that finished runs are around: not the sweep's any more where it got more checkpoints."""
    found: set[str] = set()
    for run_id in run_ids:
        with suppress(records.BadRun, KeyError):
            found.add(records.read_info(root / "results" / "runs" / run_id)["target_id"])
    return found


def _jobs(root: Path, name: str) -> list[SweepJob]:
    return sweep.load(name, root / "conf", root, root / ".cache" / "plans")


def _size(folder: Path) -> int:
    return sum(p.lstat().st_size for p in folder.rglob("*") if not p.is_dir())


def report(root: Path, kept: list[Kept]) -> str:
    """Return what is kept as a text: sizes, then each folder that no sweep refers to."""
    lines = []
    for kind in COMPLETE:
        all_of, left = [k for k in kept if k.kind == kind], [k for k in kept if k.kind == kind and not k.needed]
        lines.append(
            f"{kind:<9}{len(all_of):>7} {_human(all_of):>10}   no sweep refers to {len(left)}, {_human(left).strip()}"
        )
    cache = root / ".cache"
    lines.append(
        f"{'.cache':<16} {_megabytes(_size(cache) if cache.exists() else 0):>10}   compiled programs and plans"
    )
    lines += [f"  {k.path.relative_to(root)}  {_human([k])}{'' if k.complete else '  incomplete'}" for k in _left(kept)]
    return "\n".join(lines)


def _left(kept: Iterable[Kept]) -> list[Kept]:
    return [k for k in kept if not k.needed]


def _human(kept: Iterable[Kept]) -> str:
    return _megabytes(sum(k.size for k in kept))


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"


def delete(kept: Iterable[Kept]) -> None:
    """Delete folders; what makes each complete goes first, so that none is half there and taken for whole."""
    for folder in kept:
        if folder.path.is_symlink():  # what is elsewhere is not ours
            folder.path.unlink()
            continue
        (folder.path / COMPLETE[folder.kind]).unlink(missing_ok=True)
        shutil.rmtree(folder.path)


def archive(root: Path, name: str, file: Path) -> list[Path]:
    """Write one sweep, with all that it takes to read it and to run it again, as a ``tar.gz``.

    Its runs, their targets, its tables, the configuration, the code, and the user's own code and data. Unpacked,
    ``snakemake -n`` has nothing to do in it.

    Returns
    -------
    Files outside the project that its jobs depend on, which are not in it.

    Raises
    ------
    ConfigError
        If the sweep is not finished.
    """
    jobs = _jobs(root, name)
    made = plan.make(name, jobs, root / "results", keep_code=True)
    tables = root / "results" / "sweeps" / name
    whole_tables = (tables / "summary.csv").exists() and not plan.tables_stale(made, root / "results")
    if made.to_run() or not whole_tables:
        raise ConfigError(
            f"sweep={name}: {len(made.to_run())} jobs to run, then the tables; finish it first\n{plan.text(made)}"
        )
    folders = [tables, *(root / "results" / "runs" / job.run_id for job in jobs)]
    ids = {job.target_id for job in jobs} | _own_targets(root, (job.run_id for job in jobs))
    targets = (root / "results" / "targets" / target_id for target_id in sorted(ids))
    folders += [target for target in targets if target.exists()]
    # Of installed packages it is the version that counts.
    named = {file for job in jobs for file in job.files if not own.installed(Path(file))}
    files = {Path(os.path.normpath(file)) for file in named}
    inside = {path for path in files if path.is_relative_to(root) and path.resolve().is_relative_to(root.resolve())}
    with whole(file) as temporary, tarfile.open(temporary, "w:gz") as tar:
        project = [root / part for part in PROJECT if (root / part).exists()]
        for path in [*project, *folders, *sorted(inside)]:
            tar.add(path, Path(name) / path.relative_to(root), filter=_unless_junk)
    return sorted(files - inside)


def _unless_junk(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if Path(member.name).name in ("__pycache__", ".lock") else member


def main() -> None:
    """Look after ``results/``: see the module."""
    parser = argparse.ArgumentParser(prog="python -m llc.housekeeping", description=main.__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="sizes, and the runs and targets that no sweep refers to")
    delete_command = commands.add_parser("delete", help="delete those, after asking")
    delete_command.add_argument("--yes", action="store_true", help="do not ask")
    archive_command = commands.add_parser("archive", help="one finished sweep as one file")
    archive_command.add_argument("name")
    archive_command.add_argument("file", type=Path, nargs="?", help="NAME.tar.gz")
    args = parser.parse_args()
    root = Path.cwd()
    if not (root / "conf" / "sweep").is_dir():
        sys.exit(f"{root}: has no conf/sweep/; start this in the project's folder")
    try:
        if args.command == "archive":
            file = args.file or Path(f"{args.name}.tar.gz")
            require(file.parent.is_dir(), "file", str(file), "in a folder that is there")
            outside = archive(root, args.name, file)
            print(f"{file}: {_megabytes(file.stat().st_size)}")
            for path in outside:
                print(f"not in it, because it is outside the project: {path}")
            return
        if args.command == "delete":
            _delete(root, args.yes)
            return
        print(report(root, inventory(root)))
    except (ConfigError, records.BadRun) as error:
        sys.exit(str(error))


def _delete(root: Path, sure: bool) -> None:
    lock, only = locks.enter(root / ".cache" / "snakemake.lock", root / ".snakemake" / "locks")
    with lock:
        if not only:
            sys.exit("nothing was deleted: a snakemake is at work here")
        kept = inventory(root)
        print(report(root, kept))
        # Jobs go on after their Snakemake was killed.
        left = [k for k in _left(kept) if not locks.held(k.path)]
        if not left:
            return
        try:
            answer = "y" if sure else input(f"delete these {len(left)} folders, {_human(left)}? [y/N] ")
        except EOFError:
            sys.exit("\nnothing was deleted: there is no one to ask; --yes deletes without asking")
        if answer.strip().lower() != "y":
            sys.exit("nothing was deleted")
        delete(left)
    print(f"deleted {len(left)} folders, {_human(left)}")


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # whoever reads may have had enough, as head
    main()
