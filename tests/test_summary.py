"""Many runs become one table: of a plain multirun, and of a sweep."""

import csv
import json
import shutil
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml
from tabling import Results, lines, results, write_jobs, write_run

from llc import summary
from llc.records import BadRun
from llc.summary import aggregate_results, write_failures, write_summary
from llc.sweeps import sweepjob
from llc.tables.joblist import read_jobs

__all__ = ["results"]  # a fixture

PER_SAMPLER = ["llc_mean", "ess", "llc_mcse", "rhat", "status"]
COLUMNS = [
    "llc_mean", "llc_std", "llc_mcse", "llc_ci_low", "llc_ci_high", "ess", "ess_tail", "rhat", "rhat_distance",
    "ess_distance", "accept_rate", "n_divergent", "n_chains", "n_draws", "n_grad_evals", "time_compile_s",
    "time_sample_s", "loss_star", "grad_norm", "llc_deficit", "beta", "gamma", "llc_true", "llc_exact", "n_dropped",
    "drift", "llc_bias", "below", "virial", "virial_mcse", "reach", "status", "reason",
]  # fmt: skip


def columns_of(*samplers: str) -> list[str]:
    return [*(f"{sampler}_{column}" for sampler in samplers for column in PER_SAMPLER), "code"]


# ------------------------------------------------------------------------------- plain multirun


def write_multirun_job(folder: Path, number: int, overrides: list[str], **llc_mean: float | None) -> None:
    run = folder / str(number)
    config = {"data": {"n_data": 100}, "model": {"target_params": 50}, "seed": number}
    write_run(run, f"{number:012x}", yaml.safe_dump(config), **llc_mean)
    (run / ".hydra").mkdir()
    (run / ".hydra" / "overrides.yaml").write_text(yaml.safe_dump(overrides))


def test_jobs_of_a_multirun_are_sorted_by_number(tmp_path: Path) -> None:
    for number in (10, 9, 2, 11, 0):
        write_multirun_job(tmp_path, number, [f"seed={number}"], nuts=float(number))
    table = aggregate_results(tmp_path)
    assert list(table["job_id"]) == [0, 2, 9, 10, 11]
    assert list(table["nuts_llc_mean"]) == [0, 2, 9, 10, 11]


def test_columns_of_a_multirun_are_in_the_order_of_the_contract(tmp_path: Path) -> None:
    write_multirun_job(tmp_path, 0, ["model=small", "posterior.gamma=2", "seed=0"], nuts=4.5, sgld=4.0)
    table = aggregate_results(str(tmp_path))
    about = ["job_id", "run_id", "model", "posterior.gamma", "n_data", "target_params", "seed"]
    assert list(table.columns) == [*about, *columns_of("nuts", "sgld")]
    assert list(table.iloc[0])[:-1] == [
        *(0, "000000000000", "small", "2", 100, 50, 0),
        *(4.5, 500.0, 0.1, 1.001, "ok"),
        *(4.0, 500.0, 0.1, 1.001, "ok"),
    ]


def test_a_run_keeps_what_it_was_given_when_hydra_starts_another_job_in_its_folder(tmp_path: Path) -> None:
    write_multirun_job(tmp_path, 0, ["posterior.gamma=2"], nuts=4.5)
    write_run(tmp_path / "0", "0" * 12, (tmp_path / "0/config.yaml").read_text(), nuts=4.5)
    (tmp_path / "0/.hydra/overrides.yaml").write_text("[posterior.gamma=3]")  # it was refused
    assert list(aggregate_results(tmp_path)["posterior.gamma"]) == ["2"]


def test_an_addition_is_a_column_without_its_plus(tmp_path: Path) -> None:
    write_multirun_job(tmp_path, 0, ["+experiment_name=a=b"], nuts=4.5)
    assert list(aggregate_results(tmp_path)["experiment_name"]) == ["a=b"]


def test_a_swept_number_of_a_multirun_is_one_as_in_a_sweep(tmp_path: Path) -> None:
    write_multirun_job(tmp_path, 0, ["posterior.gamma=1e1", "sampler=fast", "precision=float32"], nuts=4.5)
    config = tmp_path / "0/config.yaml"
    values = yaml.safe_load(config.read_text()) | {"posterior": {"gamma": 10.0}, "precision": "float32"}
    write_run(tmp_path / "0", "0" * 12, yaml.safe_dump(values | {"sampler": {"names": ["nuts"]}}), nuts=4.5)
    (row,) = aggregate_results(tmp_path).to_dict("records")
    assert (row["posterior.gamma"], row["sampler_preset"], row["precision"]) == (10.0, "fast", "float32")


def test_an_empty_list_of_overrides_of_a_multirun_is_none(tmp_path: Path) -> None:
    write_multirun_job(tmp_path, 0, [], nuts=4.5)
    (tmp_path / "0/.hydra/overrides.yaml").write_text("")
    assert list(aggregate_results(tmp_path)["nuts_llc_mean"]) == [4.5]


def test_jobs_without_metrics_are_left_out(tmp_path: Path) -> None:
    for number in range(3):
        write_multirun_job(tmp_path, number, [], nuts=float(number))
    (tmp_path / "1" / "metrics_summary.csv").unlink()
    assert list(aggregate_results(tmp_path)["job_id"]) == [0, 2]


def test_other_folders_of_a_multirun_are_left_out(tmp_path: Path) -> None:
    write_multirun_job(tmp_path, 0, [], nuts=1.0)
    write_run(tmp_path / "old", "0123456789ab", nuts=2.0)
    (tmp_path / "multirun.yaml").touch()
    assert list(aggregate_results(tmp_path)["job_id"]) == [0]


def test_a_sampler_that_one_job_has_is_empty_in_the_others(tmp_path: Path) -> None:
    write_multirun_job(tmp_path, 0, [], nuts=1.0)
    write_multirun_job(tmp_path, 1, [], nuts=2.0, hmc=3.0)
    table = aggregate_results(tmp_path)
    assert list(table.columns[-11:]) == columns_of("nuts", "hmc")
    assert table["hmc_llc_mean"].isna().tolist() == [True, False]


def test_a_diverged_sampler_is_a_row_without_an_estimate(tmp_path: Path) -> None:
    write_multirun_job(tmp_path, 0, [], sgld=None, nuts=2.0)
    (row,) = aggregate_results(tmp_path).to_dict("records")
    assert (row["sgld_status"], row["nuts_llc_mean"]) == ("diverged", 2.0)
    assert pd.isna(row["sgld_llc_mean"])


def test_an_empty_folder_is_an_empty_table(tmp_path: Path) -> None:
    table = aggregate_results(tmp_path)
    assert table.empty
    assert list(table.columns) == ["job_id", "run_id", "n_data", "target_params", "seed"]


def test_a_folder_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotADirectoryError, match=r"2026-01-01: no such folder; give multirun/DATE/TIME"):
        aggregate_results(tmp_path / "2026-01-01")


def test_a_multirun_that_kept_no_overrides_is_a_table_without_swept_keys(tmp_path: Path) -> None:
    folder = tmp_path / "sweeps/mine"  # as hydra.sweep.dir may have it
    write_multirun_job(folder, 0, ["seed=3"], nuts=1.0)
    shutil.rmtree(folder / "0/.hydra")
    assert aggregate_results(folder)["nuts_llc_mean"].tolist() == [1.0]


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
