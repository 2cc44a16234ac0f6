"""Locks that the system frees when a process ends, however it ends. Without JAX."""

from __future__ import annotations

import fcntl
import logging
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from io import TextIOWrapper
from pathlib import Path

POLL = 0.02  # seconds between two looks at a lock
log = logging.getLogger(__name__)
_held: set[TextIOWrapper] = set()


def _let_go() -> None:
    for file in _held:
        file.close()


# Processes that a job's own code forks may outlive it, and must not hold its folder then.
os.register_at_fork(after_in_child=_let_go)


@contextmanager
def alone(folder: Path) -> Iterator[bool]:
    """Hold the lock of a run directory, and tell whether another process held it before.

    After ``kill -9`` of Snakemake its jobs go on: who starts one of them again waits here,
    instead of writing the same files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("a") as file:
        waited = not _take(file, fcntl.LOCK_EX)
        if waited:
            log.warning("%s: another process is at work here; waiting for it", folder)
            fcntl.flock(file, fcntl.LOCK_EX)
        _held.add(file)
        try:
            yield waited
        finally:
            _held.discard(file)


@contextmanager
def by_one(lock: Path, at_most: float) -> Iterator[None]:
    """Hold a lock, or, while another process holds it, wait so many seconds and go on without it.

    For what one process makes for all others. Where there can be no lock, each makes it for itself.
    """
    with ExitStack() as stack:
        with suppress(OSError):
            lock.parent.mkdir(parents=True, exist_ok=True)
            file = stack.enter_context(lock.open("a"))
            if not _take(file, fcntl.LOCK_EX):
                end = time.monotonic() + at_most
                while not _take(file, fcntl.LOCK_SH) and time.monotonic() < end:
                    time.sleep(POLL)
                fcntl.flock(file, fcntl.LOCK_UN)  # it has been made: no need to go on one after the other
        yield


def held(folder: Path) -> bool:
    """Return whether a process holds the lock of a run directory now."""
    try:
        file = (folder / ".lock").open()
    except OSError:  # there is none, or not for us
        return False
    with file:
        return not _take(file, fcntl.LOCK_SH)


def enter(lock: Path, snakemake_locks: Path) -> tuple[TextIOWrapper, bool]:
    """Note that a Snakemake is at work, as long as the file that is returned stays open.

    Snakemake's own locks outlive ``kill -9``, and the next start would be refused until someone
    says ``--unlock``. If no other Snakemake is at work they are left-overs and are removed.

    Returns
    -------
    The open lock file, and whether no other Snakemake is at work.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    file = lock.open("a")
    only = _take(file, fcntl.LOCK_EX)
    if only:
        for left_over in snakemake_locks.glob("*.lock"):
            left_over.unlink(missing_ok=True)
    fcntl.flock(file, fcntl.LOCK_SH)
    return file, only


def _take(file: TextIOWrapper, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
