"""What of a sweep has no result, why, and what becomes of tables that are no longer its own."""

from pathlib import Path

import pytest
from tabling import Results, lines, results, write_jobs, write_run

from llc import locks
from llc.summary import OF_TABLES, write_failures, write_summary

__all__ = ["results"]  # a fixture


def test_failures_are_the_jobs_without_a_result(results: Results) -> None:
    results.finish(0)
    results.fail(1, "Traceback (most recent call last):\nValueError: no\n")
    write_failures(results.folder)
    assert lines(results.folder / "failures.csv") == [
        ["job_id", "run_id", "reason", "log", "overrides"],
        ["1", "1234567890e1", "ValueError: no", f"{results.runs[1]}/snakemake.log", results.row(1)["overrides"]],
        ["2", "998877665544", "not started", "", results.row(2)["overrides"]],
    ]


@pytest.mark.parametrize(
    ("log", "reason"),
    [
        ("INFO: start\nTraceback (most recent call last):\n  File x\nValueError: one\n", "ValueError: one"),
        (
            "KeyError: 'a'\n\nDuring handling of the above exception, another exception occurred:\n\nTypeError: two\n",
            "TypeError: two",
        ),
        (
            "Traceback (most recent call last):\nFloatingPointError: L_n(w*) is nan\n\nSet the environment variable"
            " HYDRA_FULL_ERROR=1 for a complete stack trace.\n",
            "FloatingPointError: L_n(w*) is nan",
        ),
        ("jaxlib._jax.XlaRuntimeError: RESOURCE_EXHAUSTED\n", "jaxlib._jax.XlaRuntimeError: RESOURCE_EXHAUSTED"),
        ("mine.BadShape: (3, 4)\n", "mine.BadShape: (3, 4)"),
        ("Traceback (most recent call last):\nMemoryError\n", "MemoryError"),
        ("Traceback (most recent call last):\nKeyboardInterrupt\n", "KeyboardInterrupt"),
        ("ValueError: \xe9\n", "ValueError: \xe9"),
    ],
)
def test_the_reason_is_the_last_exception_of_the_log(results: Results, log: str, reason: str) -> None:
    results.fail(1, log)
    assert results.reason(1) == reason


@pytest.mark.parametrize(
    ("log", "end"),
    [
        ("[INFO] - run\n[INFO] - w*: 51 parameters\n", "[INFO] - w*: 51 parameters"),
        ("", "(empty)"),
        ("\n", "(empty)"),
        ("sample.NUTS: 3\n", "sample.NUTS: 3"),
    ],
)
def test_a_killed_process_is_told_by_where_its_log_ends(results: Results, log: str, end: str) -> None:
    results.fail(1, log)
    how = "stopped without an exception, as when it is killed or its own code exits"
    assert results.reason(1) == f"{how}; its log ends: {end}"


def test_a_log_that_is_not_text_is_read(results: Results) -> None:
    results.fail(1, "")
    (results.runs[1] / "snakemake.log").write_bytes(b"\xff\xfe\nValueError: no\n")
    assert results.reason(1) == "ValueError: no"


def test_a_job_that_has_not_ended_has_not_failed(results: Results) -> None:
    results.fail(1, "[INFO] - run\n")
    with locks.alone(results.runs[1]):
        assert results.reason(1) == "at work now"


def test_a_target_that_failed_is_the_reason_of_all_its_jobs(results: Results) -> None:
    results.train(0, log="FloatingPointError: L_n(w*) is nan\n")
    (results.target_folders[0] / "target.json").unlink()
    failures = write_failures(results.folder)
    assert list(failures["reason"]) == [*["FloatingPointError: L_n(w*) is nan"] * 2, "not started"]
    assert list(failures["log"][:2]) == [results.target_folders[0] / "snakemake.log"] * 2


def test_a_target_that_failed_fails_runs_that_have_an_older_result(results: Results) -> None:
    results.finish(0, 1, 2)
    results.train(2, log="MemoryError\n")
    (results.target_folders[2] / "target.json").unlink()
    assert list(write_failures(results.folder)["reason"]) == ["MemoryError"]
    (results.target_folders[2] / "snakemake.log").unlink()  # deleted, as nothing that is done needs it
    assert write_failures(results.folder).empty


def test_a_job_that_waits_for_its_turn_is_not_started(results: Results) -> None:
    results.train(0)
    assert results.reason(0) == "not started"


def there(folder: Path) -> set[str]:
    return {name for name in OF_TABLES if (folder / name).exists()}


@pytest.fixture
def finished(results: Results) -> Results:
    results.finish(0, 1, 2)
    write_summary(results.folder)
    (results.folder / "figures/along").mkdir(parents=True)
    for name in ("report.html", "accuracy.csv"):
        (results.folder / name).touch()
    return results


def test_tables_of_other_jobs_are_moved_away_with_figures_and_page(finished: Results) -> None:
    write_jobs(finished.folder / "jobs.csv", [finished.row(0), finished.row(1)])
    write_failures(finished.folder)
    assert there(finished.folder) == set()
    assert there(finished.folder / "before") == set(OF_TABLES)


def test_so_are_figures_and_page_where_snakemake_has_removed_the_tables_already(finished: Results) -> None:
    for name in ("summary.csv", "estimates.csv", "failures.csv"):
        (finished.folder / name).unlink()
    (finished.runs[1] / "metrics_summary.csv").unlink()
    write_failures(finished.folder)
    assert there(finished.folder) == set()
    assert there(finished.folder / "before") == set(OF_TABLES) - {"summary.csv", "estimates.csv"}


def test_so_are_tables_of_runs_that_are_gone_or_have_found_something_else(finished: Results) -> None:
    (finished.runs[1] / "metrics_summary.csv").unlink()
    write_failures(finished.folder)
    assert there(finished.folder) == set()
    finished.finish(1)
    write_summary(finished.folder)
    assert not (finished.folder / "before").exists()  # superseded
    write_run(finished.runs[2], finished.ids[2], nuts=99.0, sgld=98.0)
    write_failures(finished.folder)
    assert there(finished.folder) == set()
    assert "99.0" not in (finished.folder / "before/estimates.csv").read_text()
    write_failures(finished.folder)  # there is nothing newer to put in its place
    assert there(finished.folder / "before") == {"summary.csv", "estimates.csv", "tables.json"}


def test_tables_of_the_same_jobs_and_results_are_kept(finished: Results) -> None:
    for _ in range(2):
        finished.train(2, log="MemoryError\n")  # in vain: its run is as it was
        (finished.target_folders[2] / "target.json").unlink()
        assert len(write_failures(finished.folder)) == 1
        assert there(finished.folder) == set(OF_TABLES)
