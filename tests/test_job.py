"""One job: what it keeps in memory."""

import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from composing import job

from llc import job as jobs
from llc import sampling, target


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
