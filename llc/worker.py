"""Works through a batch: each job as ``train.py`` alone would, with its own log. Without JAX.

A worker imports JAX once and does one job after the other. This process only looks after it: when
a job takes its worker down with it, as a lack of memory does, the rest go on in a new one.
"""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

Members = list[dict[str, Any]]


def main() -> None:
    """Do all jobs of a batch, whatever becomes of them: ``python -m llc.worker TRAIN FILE THREADS``."""
    train, file, threads = sys.argv[1:]
    batch = json.loads(Path(file).read_text(encoding="utf-8"))
    members, planned_ns = batch["members"], batch["planned_ns"]
    for member in members:
        member["arguments"].append(f"threads={threads}")
    while members:
        ended = _in_a_worker(train, members, planned_ns)
        if ended == 0:  # it ended its worker, or none could start: what it is to replace must not pass for its result
            _made_since(Path(members[0]["result"]), planned_ns)
        # One that ends a worker in which others had been before it gets a worker of its own.
        members = members[max(ended, 1) :]


def _in_a_worker(train: str, members: Members, planned_ns: int) -> int:
    """Return how many of the jobs a new worker has done before it ended."""
    done, report = os.pipe()  # of its own: jobs may print, also when their process ends
    command = [sys.executable, "-m", "llc.worker", "--worker", train, str(report), str(planned_ns)]
    with (
        subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=[report], text=True) as worker,
        os.fdopen(done) as lines,
    ):
        os.close(report)
        assert worker.stdin is not None
        # A worker that has ended before it could read has done none.
        with suppress(BrokenPipeError), worker.stdin:
            json.dump(members, worker.stdin)
        return sum(1 for _ in lines)  # one for each job


def _work(train: str, report_fd: int, planned_ns: int) -> None:
    members: Members = json.load(sys.stdin)
    # Whole, as Python itself has it: Hydra goes to the job's folder, from where train.py looks beside itself.
    train, home = os.path.abspath(train), os.getcwd()
    os.set_inheritable(report_fd, False)
    with os.fdopen(report_fd, "w") as report:
        os.register_at_fork(after_in_child=report.close)  # processes of a job may outlive this one
        for member in members:
            os.chdir(home)  # a job's own code may have gone elsewhere
            # Without its target a job has not started, as when it is on its own.
            if all(Path(file).exists() for file in member["needs"]):
                result = Path(member["result"])
                if not _made_since(result, planned_ns):
                    with _logged(result.parent):
                        _run(train, member["arguments"])
            print(file=report, flush=True)  # fails if nobody looks after this worker any more


def _made_since(result: Path, planned_ns: int) -> bool:
    """Return whether a result is there that is newer than the plan; an older one is deleted, as Snakemake does.

    Another batch may have made it: this one goes on when its Snakemake was killed, and the next starts others.
    """
    with suppress(FileNotFoundError):
        if result.stat().st_mtime_ns > planned_ns:
            return True
        result.unlink()
    return False


@contextmanager
def _logged(folder: Path) -> Iterator[None]:
    """Send all that is written, by whatever library, to the log of a job."""
    folder.mkdir(parents=True, exist_ok=True)
    saved = os.dup(1), os.dup(2)
    with (folder / "snakemake.log").open("wb") as log:
        for fd in (1, 2):
            os.dup2(log.fileno(), fd)
    try:
        yield
    finally:
        for stream, fd, before in zip((sys.stdout, sys.stderr), (1, 2), saved, strict=True):
            stream.flush()
            os.dup2(before, fd)
            os.close(before)


def _run(train: str, arguments: list[str]) -> None:
    """Run ``train.py`` as if it were all that this process is for."""
    from hydra.core.global_hydra import GlobalHydra

    GlobalHydra.instance().clear()
    sys.argv = [train, *arguments]
    try:
        runpy.run_path(train, run_name="__main__")
    except SystemExit as end:  # Hydra has printed why
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except Exception:
        traceback.print_exc()


if __name__ == "__main__":
    if sys.argv[1] == "--worker":
        _work(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    else:
        main()
