"""One job: what it keeps in memory, and what it leaves alone."""

import json
import sys
import weakref
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from composing import job
from fabricating import write_run

from llc import code, locks, records, sampling
from llc import job as jobs
from llc.config import ConfigError
from llc.jobs.ids import run_id, target_id
from llc.planning import plan
from llc.targets import target


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
    monkeypatch.setattr(jobs, "KEPT", 0)
    with pytest.raises(Begun):
        jobs.run(job("sampler.names=[sgld]", "training.steps=10", "training.polish_steps=0"), tmp_path)


def test_the_code_that_is_recorded_is_that_which_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both at the start: before another process is waited for, and before samplers that an edit could reach."""
    happened, modules = [], code.modules

    def digested(*of: Any) -> dict[str, str]:
        happened.append("digested")
        return modules(*of)

    def alone(_: Path) -> Any:
        raise InterruptedError

    monkeypatch.setattr(code, "modules", digested)
    monkeypatch.setattr(jobs, "import_module", happened.append)
    monkeypatch.setattr(locks, "alone", alone)
    with pytest.raises(InterruptedError):
        jobs.run(job("sampler.names=[sgld,nuts]"), tmp_path)
    assert happened == ["digested", "digested", "llc.sampling", "llc.samplers.sgld", "llc.samplers.nuts"]


def test_code_that_is_edited_while_a_target_trains_is_not_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = target.problem

    def edited_meanwhile(of: Any) -> target.Problem:
        monkeypatch.setattr(code, "substance", lambda _: "edited")
        return make(of)

    monkeypatch.setattr(target, "problem", edited_meanwhile)
    code._modules.cache_clear()
    jobs.run(job("stage=target", "model=quadratic", "data=small"), tmp_path)
    recorded = json.loads((tmp_path / "target.json").read_text())["code"]
    assert len(recorded) > 10
    assert "edited" not in recorded.values()


def test_a_run_is_made_with_the_code_that_trained_its_target(tmp_path: Path) -> None:
    settings = ["sampler.names=[sgld]", "sampler.sgld={warmup: 10, draws: 20, thin: 1, chains: 2}"]
    settings += ["training.steps=10", "training.polish_steps=0"]
    trained, run = tmp_path / "target", tmp_path / "run"
    for folder in (trained, run):
        folder.mkdir()
    jobs.run(job(*settings, "stage=target"), trained)
    about = json.loads((trained / "target.json").read_text())
    about["code"] |= {"llc/targets/training.py": "other", "llc/gone.py": "other"}
    (trained / "target.json").write_text(json.dumps(about))
    jobs.run(job(*settings, f"target={trained}"), run)
    made_with = records.read_info(run)["code"]
    assert code.changed(made_with, code.modules("run", ["sgld"])) == ["llc/gone.py", "llc/targets/training.py"]
    assert plan.run_state(run, ["sgld"], keep_code=False).kind == "stale"


SAVED = {
    "mine.py": "import numpy as np\ndef data(): return np.arange(24.0).reshape(12, 2), np.ones(12)\n",
    "mine.npz": 12,
    "other.npz": 12,
    "w.npz": 2,
}


def write(folder: Path, name: str, more: int = 0) -> None:
    content: Any = SAVED[name]
    if name.endswith(".py"):
        (folder / name).write_text(content + "EDITED = 1\n" * more)
    elif name == "w.npz":
        np.savez(folder / name, w_star=np.full(content, 0.1 + more))
    else:
        np.savez(folder / name, x=np.arange(2.0 * content).reshape(-1, 2) + more, y=np.ones(content))


@pytest.mark.parametrize("name", [None, *SAVED])
def test_a_file_that_is_saved_while_a_job_starts_fails_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str | None
) -> None:
    for each in SAVED:
        write(tmp_path, each)
    data = ["data=npz", "data.path=mine.npz"] if name == "mine.npz" else ["data=own", "data._target_=mine.data"]
    own = [f"own.folder={tmp_path}"] if name != "mine.npz" else []
    of = job(*data, *own, "model=quadratic", "model.d_in=2", "training.w_star=file", "training.path=w.npz",
             "+evaluate.a=other.npz", cwd=tmp_path)  # fmt: skip
    if name is not None:
        write(tmp_path, name, more=1)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "mine", raising=False)

    class Begun(Exception):
        pass

    def sample(*_: Any, **__: Any) -> None:
        raise Begun

    monkeypatch.setattr(sampling, "sample", sample)
    changed = pytest.raises(ConfigError, match=rf"{name}.*: it changed since the job was planned; plan again")
    with pytest.raises(Begun) if name is None else changed:
        jobs.run(of, tmp_path / "run")


@pytest.mark.parametrize("stage", ["run", "target"])
@pytest.mark.parametrize("waited", [False, True])
def test_a_job_leaves_the_result_of_another_in_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, waited: bool, stage: str
) -> None:
    write_run(tmp_path, "0123456789ab", {"sgld": 1.0})
    before = (tmp_path / "metrics_summary.csv").read_text()
    monkeypatch.setattr(locks, "alone", lambda _: nullcontext(waited))
    with pytest.raises(ConfigError, match="run 0123456789ab is in it; give each its own, or delete it"):
        jobs.run(job(f"stage={stage}"), tmp_path)
    assert (tmp_path / "metrics_summary.csv").read_text() == before


def test_a_job_whose_own_code_exits_has_failed_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "mine_exits.py").write_text("import sys\ndef data(seed):\n    sys.exit(0)\n")
    of = job("model=small", "data=own", "data._target_=mine_exits.data", "model.d_in=3", cwd=tmp_path)
    with pytest.raises(RuntimeError, match=r"the job's own code has called sys\.exit\(0\)"):
        jobs.run(of, tmp_path / "run")


def test_a_run_leaves_the_target_of_a_sweep(tmp_path: Path) -> None:
    of = job("stage=target", "model=quadratic", "data=small")
    folder = tmp_path / target_id(of)
    jobs.run(of, folder)
    before = (folder / "target.json").read_text()
    with pytest.raises(ConfigError, match=f"target {folder.name} is in it; give each its own"):
        jobs.run(job("model=quadratic", "data=small", "seed=9"), folder)
    assert (folder / "target.json").read_text() == before


def test_a_target_leaves_the_run_of_its_own_job(tmp_path: Path) -> None:
    of = job("stage=target")
    write_run(tmp_path, run_id(of), {"sgld": 1.0})
    with pytest.raises(ConfigError, match="is in it; give each its own"):
        jobs.run(of, tmp_path)
