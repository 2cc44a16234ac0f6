"""While a sweep runs, one line for each run that ends; at its end, what became of it."""

import logging
from pathlib import Path
from typing import Any

import pytest
from fabricating import sweep_job, write_run

from llc import code
from llc.files import write_json
from llc.planning import manifest, plan, progress
from llc.planning.progress import Quiet, Watch, duration
from llc.sweeps import sweepjob

JOBS = [sweep_job(0), sweep_job(1), sweep_job(2), sweep_job(3, seed=1), sweep_job(4, seed=1)]


def record(event: str | None, text: str = "", **values: Any) -> logging.LogRecord:
    made = logging.makeLogRecord({"msg": text, "levelno": logging.INFO, **values})
    if event:
        made.event = event
    return made


class Sweep:
    """Five jobs of two targets, of which the first is done, and what is said of them."""

    def __init__(self, results: Path) -> None:
        self.results, self.time, self.said = results, 0.0, list[str]()
        self.finish("000000000000", 1.0)
        self.before = plan.make("x", JOBS, results, keep_code=False)
        self.watch = Watch([self.before], results, self.said.append, lambda: self.time)

    def finish(self, run_id: str, llc: float | None) -> None:
        write_run(self.results / "runs" / run_id, run_id, {"nuts": llc})

    def start(self, number: int, rule: str, name: str) -> None:
        self.watch.handle(record("job_info", jobid=number, rule_name=rule, wildcards={f"{rule}_id": name}))

    def fail(self, rule: str, name: str) -> None:
        folder = self.results / f"{rule}s" / name
        folder.mkdir(parents=True)
        (folder / "snakemake.log").write_text("MemoryError: too many draws\n")


@pytest.fixture
def sweep(tmp_path: Path) -> Sweep:
    return Sweep(tmp_path)


def test_a_line_says_how_many_of_how_many_what_came_out_and_what_failed_where(sweep: Sweep) -> None:
    target = JOBS[3].target_id
    for number, job in enumerate(JOBS[1:3]):
        sweep.start(number, "run", job.run_id)
    sweep.start(7, "target", target)
    sweep.start(8, "summary", "x")  # none of its business
    sweep.time = 60.0
    sweep.finish(JOBS[1].run_id, 2.0)
    sweep.watch.handle(record("job_finished", job_id=0))
    sweep.fail("run", JOBS[2].run_id)
    sweep.watch.handle(record("job_error", jobid=1, rule_name="run"))
    sweep.fail("target", target)
    sweep.watch.handle(record("job_error", jobid=7, rule_name="target"))
    sweep.watch.handle(record("job_finished", job_id=8))
    runs, targets = sweep.results / "runs", sweep.results / "targets"
    assert sweep.said == [
        f"[1 of 4, about 3 min 0 s left] {JOBS[1].run_id} seed=0 data.n_data=100: nuts 2 ± 0.1 ok",
        f"[2 of 4, 1 failed, about 1 min 0 s left] run {JOBS[2].run_id} failed: MemoryError: too many draws\n"
        f"    log: {runs / JOBS[2].run_id / 'snakemake.log'}",
        f"[4 of 4, 3 failed] target {target} failed, and 2 runs with it: MemoryError: too many draws\n"
        f"    log: {targets / target / 'snakemake.log'}",
    ]


def test_an_error_of_the_watch_does_not_stop_the_sweep(sweep: Sweep, capsys: pytest.CaptureFixture[str]) -> None:
    sweep.start(0, "run", JOBS[1].run_id)
    sweep.finish(JOBS[1].run_id, 1.0)
    (sweep.results / "runs" / JOBS[1].run_id / "metrics_summary.csv").write_text("sampler,status\nnuts,ok\n")
    sweep.watch.handle(record("job_finished", job_id=0))
    assert "KeyError: 'llc_mean'" in capsys.readouterr().err


def test_a_run_that_ends_without_a_result_is_told_so(sweep: Sweep) -> None:
    sweep.start(0, "run", JOBS[1].run_id)
    sweep.watch.handle(record("job_finished", job_id=0))  # as with --touch
    assert sweep.said[0].endswith(": no result")


def test_the_end_counts_an_edited_run_as_damaged(sweep: Sweep) -> None:
    sweep.finish(JOBS[1].run_id, 1.0)
    metrics = sweep.results / "runs" / JOBS[1].run_id / "metrics_summary.csv"
    metrics.write_text(metrics.read_text().replace("500.0", "5OO.0"))
    said = progress.summary(sweep.before, sweep.results, seconds=75.0)
    assert said.splitlines()[1] == "  estimates  1 ok, 1 damaged"


def test_the_end_counts_what_was_made_reused_failed_and_not_converged(sweep: Sweep) -> None:
    sweep.finish(JOBS[1].run_id, None)
    sweep.fail("run", JOBS[2].run_id)
    said = progress.summary(sweep.before, sweep.results, seconds=75.0)
    assert said.splitlines() == [
        "sweep x: runs 1 made, 1 reused, 1 failed, 2 not run; 1 min 15 s, 0.0014 core-hours",
        "  estimates  1 ok, 1 diverged",
        "  tables     of what is there: snakemake --cores 1 --config sweep=x partial=true",
    ]
    for job in JOBS[2:]:
        sweep.finish(job.run_id, 1.0)
    table = sweep.results / "sweeps/x/summary.csv"
    table.parent.mkdir(parents=True)
    table.touch()  # of before, as with --until run
    lines = progress.summary(sweep.before, sweep.results, seconds=7300.0).splitlines()
    assert lines[2:] == ["  tables     are of other results than are there now: run it again, without --until"]
    now = plan.make("x", JOBS, sweep.results, keep_code=False).runs
    found = {run_id: state.sha256 for run_id, state in now.items()}
    manifest.write(table.parent, [table.name], found, sweepjob.table(JOBS))
    lines = progress.summary(sweep.before, sweep.results, seconds=7300.0).splitlines()
    assert lines[0].startswith("sweep x: runs 4 made, 1 reused, 0 failed; 2 h 1 min")
    assert lines[2:] == [f"  table      {table}"]  # and no page, as there is none


def test_the_end_counts_what_was_made_while_the_code_was_edited(sweep: Sweep, monkeypatch: pytest.MonkeyPatch) -> None:
    sweep.finish(JOBS[1].run_id, 1.0)
    monkeypatch.setattr(code, "modules", lambda *_: {"llc/job.py": "edited"})
    said = progress.summary(sweep.before, sweep.results, seconds=75.0, partial=True).splitlines()
    assert said[0].startswith("sweep x: runs 1 made, 1 reused, 0 failed, 3 not run;")
    assert said[2:] == [f"  table      {sweep.results}/sweeps/x/partial/summary.csv"]


def test_the_end_counts_an_older_result_that_was_to_be_made_again_as_failed_or_not_run(sweep: Sweep) -> None:
    for job in JOBS[1:4]:
        sweep.finish(job.run_id, 1.0)
    target = sweep.results / "targets" / JOBS[1].target_id
    target.mkdir(parents=True)
    write_json(target / "target.json", {"target_id": target.name, "code": code.modules("target"), "core_s": 3600.0})
    (target / "target.npz").touch()
    before = plan.make("x", JOBS[:4], sweep.results, keep_code=False, again="target")
    sweep.finish(JOBS[1].run_id, 2.0)
    sweep.fail("target", JOBS[3].target_id)
    said = progress.summary(before, sweep.results, seconds=75.0).splitlines()
    assert said[0].startswith("sweep x: runs 1 made, 0 reused, 1 failed, 2 not run;")
    assert said[0].endswith(" 0.0014 core-hours")  # none of the targets that were there before
    assert said[1] == "  estimates  1 ok"
    (sweep.results / "sweeps/x/before").mkdir(parents=True)
    said = progress.summary(before, sweep.results, seconds=75.0).splitlines()
    assert said[-1] == f"  before     {sweep.results}/sweeps/x/before: tables of other results than are there now"


def test_snakemake_is_quiet_about_runs_but_not_about_the_rest() -> None:
    quiet = Quiet()
    for shown in (
        record(None, "Building DAG of jobs..."),
        record("run_info", "Job stats"),
        record("job_error", rule_name="summary"),
        record("error", "WorkflowError"),
    ):
        assert quiet.filter(shown)
    for hidden in (
        record("job_info"),
        record("job_finished"),
        record("progress"),
        record("job_error", rule_name="run"),
        record(None, "Select jobs to execute..."),
    ):
        assert not quiet.filter(hidden)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59.6, "1 min 0 s"), (125, "2 min 5 s"), (7384, "2 h 3 min")]
)
def test_a_time_is_for_a_person(seconds: float, text: str) -> None:
    assert duration(float(seconds)) == text
