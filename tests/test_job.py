"""One job: what it keeps in memory, and what it leaves alone."""

import weakref
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from composing import job
from fabricating import write_run

from llc import job as jobs
from llc import locks, sampling, target


def test_the_data_in_float64_are_gone_when_sampling_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Begun(Exception):
        pass

    arrays: list[weakref.ref[np.ndarray]] = []
    make = target.problem

    def watched(of: Any) -> target.Problem:
        problem = make(of)
        arrays.extend(map(weakref.ref, problem.data[:2]))
        return problem

    def sample(*_: Any, **__: Any) -> None:
        assert [array() is None for array in arrays] == [True, True]
        raise Begun

    monkeypatch.setattr(target, "problem", watched)
    monkeypatch.setattr(sampling, "sample", sample)
    with pytest.raises(Begun):
        jobs.run(job("sampler.names=[sgld]", "training.steps=10", "training.polish_steps=0"), tmp_path)


def test_a_job_that_waited_for_another_in_its_folder_leaves_its_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_run(tmp_path, "0123456789ab", {"sgld": 1.0})
    before = (tmp_path / "metrics_summary.csv").read_text()
    monkeypatch.setattr(locks, "alone", lambda _: nullcontext(True))
    with pytest.raises(RuntimeError, match="run 0123456789ab was made in it meanwhile; give each its own"):
        jobs.run(job(), tmp_path)
    assert (tmp_path / "metrics_summary.csv").read_text() == before
