"""The folders of a plain multirun become one table."""

import shutil
from pathlib import Path

import pandas as pd
import pytest
import yaml
from tabling import columns_of, write_run

from llc.summary import aggregate_results

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
