"""A stamp is newer than what it makes stale, and no newer than it must be."""

import os
import time
from pathlib import Path

import pytest

from llc.planning import stamps
from llc.planning.stamps import stamp

SECOND = 10**9


def test_a_stamp_is_newer_than_the_result_and_stays_as_it_is(tmp_path: Path) -> None:
    result = tmp_path / "metrics_summary.csv"
    result.touch()
    os.utime(result, ns=(SECOND, SECOND))
    path = Path(stamp(tmp_path / "stale", "llc/samplers/sgld.py", result))
    assert path == tmp_path / "stale/llc/samplers/sgld.py"
    made = path.stat().st_mtime_ns
    assert made > SECOND
    assert stamp(tmp_path / "stale", "llc/samplers/sgld.py", result) == str(path)
    assert path.stat().st_mtime_ns == made


def test_a_result_that_is_dated_in_the_future_has_a_newer_stamp_that_is_not(tmp_path: Path) -> None:
    result, path = tmp_path / "metrics_summary.csv", tmp_path / "stale/damaged"
    for file in (result, path):
        file.parent.mkdir(exist_ok=True)
        file.touch()
        os.utime(file, (4e9, 4e9))
    stamp(tmp_path / "stale", "damaged", result)
    assert result.stat().st_mtime_ns < path.stat().st_mtime_ns <= time.time_ns()


def test_a_plan_that_finds_a_result_older_than_the_stamp_writes_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = tmp_path / "metrics_summary.csv"
    result.touch()
    texts = []
    for _ in range(2):
        monkeypatch.setattr(stamps, "_of_this_process", set())  # as in another process
        texts.append(Path(stamps.stamp(tmp_path / "stale", "damaged", result)).read_text())
        os.utime(result, ns=(SECOND, SECOND))
    assert texts[0] != texts[1]


def test_a_stamp_is_renewed_for_a_result_that_was_made_after_it(tmp_path: Path) -> None:
    result = tmp_path / "target.json"
    result.touch()
    path = Path(stamp(tmp_path / "stale", "damaged", result))
    os.utime(path, ns=(SECOND, SECOND))
    before = path.read_text()
    stamp(tmp_path / "stale", "damaged", result)
    assert path.stat().st_mtime_ns >= result.stat().st_mtime_ns
    assert path.read_text() != before
