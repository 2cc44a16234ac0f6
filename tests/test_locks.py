"""Locks of processes that may be killed at any moment."""

import subprocess
import sys
from pathlib import Path
from subprocess import PIPE

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
