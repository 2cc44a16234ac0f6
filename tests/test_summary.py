"""The runs of a sweep become its tables."""

import csv
import json
import sys
from pathlib import Path

import pandas as pd
import pytest
from tabling import Results, columns_of, lines, results, write_jobs, write_run

from llc import summary
from llc.records import BadRun
from llc.summary import aggregate_results, write_failures, write_summary
from llc.sweeps import sweepjob
from llc.tables.joblist import read_jobs

__all__ = ["results"]  # a fixture
COLUMNS = [
    "llc_mean", "llc_std", "llc_mcse", "llc_ci_low", "llc_ci_high", "ess", "ess_tail", "rhat", "rhat_distance",
    "ess_distance", "accept_rate", "n_divergent", "n_chains", "n_draws", "n_grad_evals", "time_compile_s",
    "time_sample_s", "loss_star", "grad_norm", "llc_deficit", "beta", "gamma", "llc_true", "llc_exact", "n_dropped",
    "drift", "llc_bias", "below", "virial", "virial_mcse", "reach", "status", "reason",
]  # fmt: skip


def test_a_sweep_without_its_list_of_jobs_is_refused(tmp_path: Path) -> None:
    (tmp_path / "sweeps/x").mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match=r"sweeps/x/jobs.csv: no such file; run the sweep again"):
        aggregate_results(tmp_path / "sweeps/x")


# ---------------------------------------------------------------------------------- a sweep


def test_a_summary_has_a_row_per_job(results: Results) -> None:
    results.finish(0, 1, 2)
    write_summary(results.folder)
    header, *rows = lines(results.folder / "summary.csv")
    about = ["job_id", "run_id", "posterior.gamma", "model", "n_data", "target_params", "seed"]
    assert header == [*about, *columns_of("nuts", "sgld")]
    assert [row[:8] for row in rows] == [
        ["0", "000000000123", "1", "small", "100", "50", "0", "0.0"],
        ["1", "1234567890e1", "2", "small", "100", "50", "0", "1.0"],
        ["2", "998877665544", "1", "small", "100", "50", "1", "2.0"],
    ]


def test_estimates_have_a_row_per_job_and_sampler(results: Results) -> None:
    results.finish(0, 1, 2)
    write_summary(results.folder)
    table = pd.read_csv(results.folder / "estimates.csv", dtype={"run_id": str})
    assert set(COLUMNS) < set(table.columns)
    assert list(zip(table["run_id"], table["sampler"], table["llc_mean"], strict=True)) == [
        (run_id, sampler, number + extra)
        for number, run_id in enumerate(results.ids)
        for sampler, extra in [("nuts", 0), ("sgld", 0.5)]
    ]
    assert set(table["n_params"]) == {51}
    assert set(table["training_stopped"]) == {"polished"}


def test_a_finished_sweep_has_no_failures(results: Results) -> None:
    results.finish(0, 1, 2)
    write_summary(results.folder)
    assert lines(results.folder / "failures.csv") == [["job_id", "run_id", "reason", "log", "overrides"]]


def test_runs_of_other_sweeps_are_left_out(results: Results) -> None:
    results.finish(0, 1, 2)
    write_run(results.folder.parent.parent / "runs" / "ffffffffffff", "ffffffffffff", nuts=1.0, sgld=2.0)
    write_summary(results.folder)
    assert [row[1] for row in lines(results.folder / "summary.csv")[1:]] == list(results.ids)


def test_a_sweep_is_aggregated_like_its_summary(results: Results) -> None:
    results.finish(0, 1, 2)
    write_summary(results.folder)
    written = pd.read_csv(results.folder / "summary.csv", dtype={"run_id": str, "code": str})
    pd.testing.assert_frame_equal(aggregate_results(results.folder), written)


def test_an_unfinished_sweep_is_aggregated_without_what_is_missing(results: Results) -> None:
    results.finish(0, 2)
    assert list(aggregate_results(results.folder)["run_id"]) == [results.ids[0], results.ids[2]]


def test_ids_that_look_like_numbers_stay_text(results: Results) -> None:
    jobs = read_jobs(results.folder / "jobs.csv")
    assert list(jobs["run_id"]) == list(results.ids)
    assert list(jobs["target_id"]) == list(results.targets)


def test_counts_that_are_not_known_for_all_jobs_stay_whole_for_the_others(results: Results) -> None:
    rows = [{**results.row(number), "n_data": [100, None, 7][number]} for number in range(3)]
    write_jobs(results.folder / "jobs.csv", rows)
    results.finish(0, 1, 2)
    write_summary(results.folder)
    header, *cells = lines(results.folder / "summary.csv")
    assert [row[header.index("n_data")] for row in cells] == ["100", "", "7"]


@pytest.mark.parametrize(
    "values",
    [
        ("1", "01", "1.0"), ("NA", "None", ""), ("3", "", "7"), ("0.5", "", "1e-05"), ("True", "False", ""),
        ("1", "0.5", "nan"), ("inf", "nan", "1.0"), ("1", "2", "123456789012345678901"), ("1_0", " 1", "x"),
        ("", "", ""),
    ],
)  # fmt: skip
def test_swept_values_are_in_the_tables_as_the_sweep_has_them(results: Results, values: tuple[str, ...]) -> None:
    results.finish(0, 1, 2)
    path = results.folder / "jobs.csv"
    rows = lines(path)
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows([*row, new] for row, new in zip(rows, ("data.args.a", *values), strict=True))
    write_summary(results.folder)
    for name, repeat in (("summary.csv", 1), ("estimates.csv", 2)):
        head, *cells = lines(results.folder / name)
        assert [row[head.index("data.args.a")] for row in cells] == [v for v in values for _ in range(repeat)]


def test_swept_values_are_numbers_where_all_are(results: Results) -> None:
    path = results.folder / "jobs.csv"
    jobs = pd.read_csv(path, dtype=str).assign(a=["1", "2", "3"], b=["0.5", "2.0", "3.0"], c=["True", "False", "True"])
    jobs.assign(d=["1", "", "3"], e=["1", "x", ""]).to_csv(path, index=False)
    found = read_jobs(path)
    assert [str(found[key].dtype) for key in "abcd"] == ["int64", "float64", "bool", "Int64"]
    assert list(found["e"][:2]) == ["1", "x"]
    assert found["e"].isna().tolist() == [False, False, True]


def test_columns_that_no_swept_key_may_have_are_those_of_the_tables(results: Results) -> None:
    results.finish(0, 1, 2)
    own = {"seed", *(head for head in lines(results.folder / "jobs.csv")[0] if "." in head), "model"}
    write_summary(results.folder)
    heads = [lines(results.folder / name)[0] for name in ("jobs.csv", "estimates.csv", "failures.csv")]
    assert {head for row in heads for head in row} - own == sweepjob.COLUMNS - {"sampler_preset"}


# ----------------------------------------------------------------------------------- damage


def test_a_damaged_run_is_a_failure_of_the_partial_tables(results: Results) -> None:
    results.finish(0, 1)
    (results.runs[1] / "traces.nc").unlink()
    failures = write_summary(results.folder, partial=True).set_index("job_id")["reason"]
    assert (list(failures.index), failures[2]) == ([1, 2], "not started")
    assert failures[1].startswith(f"{results.runs[1]}/traces.nc: missing; delete")
    assert [row[0] for row in lines(results.folder / "partial/summary.csv")[1:]] == ["0"]


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"run_id\n000000000123\n"])
def test_a_damaged_list_of_jobs_is_refused_by_name(results: Results, content: bytes) -> None:
    (results.folder / "jobs.csv").write_bytes(content)
    with pytest.raises(BadRun, match=r"jobs\.csv: damaged .*; delete it and run the sweep again"):
        write_summary(results.folder)


def test_a_damaged_summary_is_one_of_other_jobs(results: Results) -> None:
    (results.folder / "summary.csv").write_bytes(b"\xff\xfe")
    write_failures(results.folder)
    assert not (results.folder / "summary.csv").exists()


@pytest.mark.parametrize("name", ["metrics_summary.csv", "config.yaml", "traces.nc"])
def test_a_run_that_is_damaged_is_refused_by_name(results: Results, name: str) -> None:
    results.finish(0, 1, 2)
    file = results.runs[1] / name
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(BadRun, match=rf"^{file}: .*run the sweep again$"):
        write_summary(results.folder)


def test_a_run_whose_result_is_gone_is_refused_by_name(results: Results) -> None:
    results.finish(0, 1, 2)
    (results.runs[1] / "metrics_summary.csv").unlink()
    with pytest.raises(BadRun, match=rf"^{results.runs[1]}: .*run the sweep again$"):
        write_summary(results.folder)


def test_all_damaged_runs_are_named_at_once(results: Results) -> None:
    results.finish(0, 1, 2)
    for run in results.runs[1:]:
        (run / "traces.nc").write_bytes(b"")
    with pytest.raises(BadRun, match=rf"{results.ids[1]}.*\n.*{results.ids[2]}"):
        write_summary(results.folder)


def test_numbers_reach_the_table_bit_by_bit(results: Results) -> None:
    results.finish(1, 2)
    results.train(0)
    write_run(results.runs[0], results.ids[0], nuts=0.1 + 0.2, sgld=1e-17 / 3)
    write_summary(results.folder)
    first = lines(results.folder / "summary.csv")[1]
    assert [first[7], first[12]] == [repr(0.1 + 0.2), repr(1e-17 / 3)]


def test_a_run_without_one_of_its_samplers_is_refused_by_file(results: Results) -> None:
    results.finish(0, 1, 2)
    write_run(results.runs[1], results.ids[1], nuts=1.0)
    with pytest.raises(BadRun, match=r"metrics_summary.csv: is of 'nuts', expected 'nuts sgld'"):
        write_summary(results.folder)


def test_a_run_in_the_folder_of_another_is_refused_by_file(results: Results) -> None:
    results.finish(0, 2)
    results.train(1)
    write_run(results.runs[1], results.ids[0], nuts=1.0, sgld=1.0)
    with pytest.raises(BadRun, match=rf"^{results.runs[1]}/run_info.json: is of '{results.ids[0]}'"):
        write_summary(results.folder)


def test_rows_of_other_code_are_told_apart(results: Results, capsys: pytest.CaptureFixture[str]) -> None:
    results.finish(0, 1, 2)
    write_summary(results.folder)
    assert len({row[-1] for row in lines(results.folder / "summary.csv")[1:]}) == 1
    assert capsys.readouterr().out == ""
    info = results.runs[1] / "run_info.json"
    about = json.loads(info.read_text())
    about["code"]["llc/posterior.py"] = "0" * 12
    info.write_text(json.dumps(about))
    write_summary(results.folder)
    codes = [row[-1] for row in lines(results.folder / "summary.csv")[1:]]
    assert codes[0] == codes[2] != codes[1]
    assert "not all made by the same code (column code): llc/posterior.py differ" in capsys.readouterr().out


def test_a_partial_table_has_what_is_there_and_names_the_rest(results: Results) -> None:
    results.finish(0, 2)
    results.fail(1, "ValueError: no\n")
    with pytest.raises(BadRun, match="it has no result"):
        write_summary(results.folder)
    write_summary(results.folder, partial=True)
    partial = results.folder / "partial"
    assert [row[0] for row in lines(partial / "summary.csv")[1:]] == ["0", "2"]
    assert [row[0] for row in lines(partial / "estimates.csv")[1:]] == ["0", "0", "2", "2"]
    assert [row[2] for row in lines(partial / "failures.csv")[1:]] == ["ValueError: no"]
    assert sorted(p.name for p in results.folder.iterdir()) == ["jobs.csv", "partial"]


def test_a_partial_table_of_nothing_is_empty(results: Results) -> None:
    write_summary(results.folder, partial=True)
    assert len(lines(results.folder / "partial/summary.csv")) == 1
    assert len(lines(results.folder / "partial/failures.csv")) == 4


def test_a_refused_summary_leaves_no_table(results: Results) -> None:
    results.finish(0, 1, 2)
    (results.runs[1] / "metrics_summary.csv").write_bytes(b"")
    with pytest.raises(BadRun):
        write_summary(results.folder)
    assert [file.name for file in results.folder.iterdir()] == ["jobs.csv"]


# --------------------------------------------------------------------------------- the command


def test_the_command_prints_each_failure_and_their_number(
    results: Results, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    results.finish(0, 2)
    results.fail(1, "ValueError: no\n")
    monkeypatch.setattr(sys, "argv", ["llc.summary", "--failures", str(results.folder)])
    summary.main()
    first, second, third = capsys.readouterr().out.splitlines()
    assert first == "job 1 (1234567890e1): ValueError: no"
    assert second.endswith(f"log: {results.runs[1]}/snakemake.log")
    assert third.startswith("1 jobs without a result")


def test_the_command_fails_on_a_damaged_run(results: Results, monkeypatch: pytest.MonkeyPatch) -> None:
    results.finish(0, 1, 2)
    (results.runs[1] / "metrics_summary.csv").write_bytes(b"")
    monkeypatch.setattr(sys, "argv", ["llc.summary", str(results.folder)])
    with pytest.raises(SystemExit, match=r"1234567890e1/metrics_summary\.csv"):
        summary.main()


def test_a_relative_folder_is_found(results: Results, monkeypatch: pytest.MonkeyPatch) -> None:
    results.finish(0, 1, 2)
    monkeypatch.chdir(results.folder)
    assert len(aggregate_results(".")) == 3


def test_a_configuration_refused_at_run_time_is_the_reason(results: Results) -> None:
    hint = "\nSet the environment variable HYDRA_FULL_ERROR=1 for a complete stack trace.\n"
    results.fail(1, f"Error executing job\ntrain.py: data.path='a.npz': no such file\n{hint}")
    assert results.reason(1) == "train.py: data.path='a.npz': no such file"
