"""Locks of processes that may be killed at any moment."""

import errno
import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from subprocess import PIPE
from threading import Thread

import pytest

from llc import locks


def test_a_second_process_waits_for_the_first_and_is_told(tmp_path: Path) -> None:
    script = f"""
from pathlib import Path; import sys, time; from llc import locks
from llc.config import Job
with locks.alone(Path({str(tmp_path)!r})) as waited:
    print(waited, flush=True); sys.stdin.readline()
"""
    with subprocess.Popen([sys.executable, "-c", script], stdin=PIPE, stdout=PIPE, text=True) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "False\n"
        with subprocess.Popen(
            [sys.executable, "-c", script], stdin=PIPE, stdout=PIPE, stderr=PIPE, text=True
        ) as second:
            assert second.stderr is not None
            assert "another process is at work here" in second.stderr.readline()
            first.kill()  # the system frees the lock of a process that is killed
            assert second.communicate("\n")[0] == "True\n"


def test_a_process_that_a_job_has_forked_does_not_hold_its_lock(tmp_path: Path) -> None:
    script = f"""
from pathlib import Path; import os, sys, time; from llc import locks
with locks.alone(Path({str(tmp_path)!r})):
    if os.fork() == 0:
        print(os.getpid(), flush=True)
        time.sleep(60.0)
        os._exit(0)
    sys.stdin.readline()
"""
    with subprocess.Popen([sys.executable, "-c", script], stdin=PIPE, stdout=PIPE, text=True) as job:
        assert job.stdout is not None
        child = int(job.stdout.readline())
        try:
            assert locks.held(tmp_path)
            job.kill()
            job.wait()
            assert not locks.held(tmp_path)
        finally:
            os.kill(child, signal.SIGKILL)


def test_left_over_locks_are_removed_when_nobody_is_at_work(tmp_path: Path) -> None:
    left_over = tmp_path / "locks/0.output.lock"
    left_over.parent.mkdir()
    left_over.touch()
    file, only = locks.enter(tmp_path / "lock", left_over.parent)
    assert only
    assert not left_over.exists()
    left_over.touch()
    other, only = locks.enter(tmp_path / "lock", left_over.parent)
    assert not only
    assert left_over.exists()  # the first one may have made it
    file.close()
    other.close()


def test_what_one_makes_for_all_is_waited_for_and_then_nobody_waits_for_the_next(tmp_path: Path) -> None:
    lock, events = tmp_path / "locks/made", list[str]()

    def other() -> None:
        with locks.by_one(lock, at_most=60.0):
            events.append("went on")
            with locks.by_one(lock, at_most=60.0):  # free: those that waited do not hold it
                events.append("no one holds it")

    with locks.by_one(lock, at_most=60.0):
        thread = Thread(target=other)
        thread.start()
        time.sleep(5 * locks.POLL)
        events.append("made")
    thread.join()
    assert events == ["made", "went on", "no one holds it"]


def test_nobody_is_waited_for_for_ever_nor_where_there_can_be_no_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with locks.by_one(tmp_path / "lock", at_most=60.0), locks.by_one(tmp_path / "lock", at_most=0.1):
        pass
    (tmp_path / "file").touch()
    with pytest.raises(ZeroDivisionError) as error, locks.by_one(tmp_path / "file/lock", at_most=60.0):
        1 / 0  # noqa: B018
    assert error.value.__context__ is None  # not "during the handling of" that there is no lock
    monkeypatch.setattr(fcntl, "flock", no_locks)
    with locks.by_one(tmp_path / "lock", at_most=60.0):
        pass


def no_locks(*_: object) -> None:
    raise OSError(errno.ENOLCK, "No locks available")
