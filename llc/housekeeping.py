"""What is kept on disk, and what of it no sweep needs: list, delete, archive. Without JAX.

``python -m llc.housekeeping list``, ``… delete``, ``… archive NAME``, in the project's folder.
"""

from __future__ import annotations

import argparse
import re
import shutil
import signal
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from llc import locks, records
from llc.archive import archive, jobs_of, own_targets
from llc.config import ConfigError, require
from llc.records import METRICS, TARGET_INFO
from llc.sweeps import sweep
from llc.tables.joblist import read_jobs

ID = re.compile(r"[0-9a-f]{12}")
COMPLETE = {"runs": METRICS, "targets": TARGET_INFO}  # the file that makes each complete


@dataclass(frozen=True)
class Folder:
    """A folder of ``runs/`` or ``targets/``."""

    kind: str
    path: Path
    size: int  # bytes
    needed: bool  # some sweep refers to it

    @property
    def complete(self) -> bool:
        """Whether it holds a result."""
        return (self.path / COMPLETE[self.kind]).exists()


def inventory(root: Path) -> list[Folder]:
    """Return every run and target, and whether a sweep refers to it.

    A sweep is a file of ``conf/sweep/``, or a table in ``results/sweeps/`` whose file is gone.

    Raises
    ------
    ConfigError
        If a sweep cannot be read: what it refers to would be unknown.
    """
    needed = _needed(root)
    return [
        Folder(kind, path, _size(path), path.name in needed)
        for kind in COMPLETE
        for path in sorted((root / "results" / kind).glob("*"))
        if ID.fullmatch(path.name) and path.is_dir()
    ]


def _needed(root: Path) -> set[str]:
    names = sweep.names(root / "conf")
    ids = {i for name in names for job in jobs_of(root, name) for i in (job.run_id, job.target_id)}
    for table in (root / "results" / "sweeps").glob("*/jobs.csv"):
        if table.parent.name not in names:
            jobs = read_jobs(table)
            ids |= {*jobs["run_id"], *jobs["target_id"]}
    return ids | own_targets(root, ids)


def _size(folder: Path) -> int:
    return sum(p.lstat().st_size for p in folder.rglob("*") if not p.is_dir())


def report(root: Path, kept: list[Folder]) -> str:
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


def _left(kept: Iterable[Folder]) -> list[Folder]:
    return [k for k in kept if not k.needed]


def _human(kept: Iterable[Folder]) -> str:
    return _megabytes(sum(k.size for k in kept))


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"


def delete(kept: Iterable[Folder]) -> None:
    """Delete folders; what makes each complete goes first, so that none is half there and taken for whole."""
    for folder in kept:
        if folder.path.is_symlink():  # what is elsewhere is not ours
            folder.path.unlink()
            continue
        (folder.path / COMPLETE[folder.kind]).unlink(missing_ok=True)
        shutil.rmtree(folder.path)


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
            remarks = archive(root, args.name, file)
            print(f"{file}: {_megabytes(file.stat().st_size)}")
            for remark in remarks:
                print(remark)
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
