"""The page of a sweep works offline in a browser, and what a user wrote is text in it."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from browsing import opened
from composing import CONF
from fabricating import write_jobs, write_sweep
from playwright.sync_api import Page

from llc import figures
from llc.page import _cell
from llc.page.runs import flat, shared
from llc.planning import plan
from llc.summary import write_summary

CAPTIONS = CONF.parent / "workflow" / "report"
NAME = "a&b <i>$x$ 100%"
EVIL = "</script><script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\">${x}"


def estimates(job: Mapping[str, Any]) -> dict[str, Any]:
    status = "ok" if job["data.n_data"] < 1000 else "not_converged"
    return {"nuts": {"llc_mean": job["data.n_data"] / 10, "status": status, "reason": "" if status == "ok" else EVIL}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the tables, figures and page of a sweep: three sizes of data, an evil text, two seeds."""
    folder = tmp_path_factory.mktemp("page") / "results" / "sweeps" / NAME
    jobs = [{"data.n_data": n, "data.path": EVIL, "seed": seed} for n in (90, 100, 1000) for seed in (0, 1)]
    write_sweep(folder, jobs, estimates)
    figures.write(folder, CAPTIONS)
    return folder


def column(page: Page, name: str) -> list[str]:
    at = page.locator("#table thead th button").all_inner_texts().index(name) + 1
    return page.locator(f"#table tbody tr.job td:nth-child({at})").all_inner_texts()


def sort(page: Page, name: str) -> None:
    page.locator("#table thead th button").get_by_text(name, exact=True).click()


def test_the_page_sorts_filters_and_shows_each_run(folder: Path) -> None:
    with opened(folder / "report.html") as page:
        assert page.title() == f"{NAME}: local learning coefficients"
        assert page.locator("h1").inner_text() == NAME
        assert page.evaluate("[...document.images].every((i) => i.naturalWidth > 400)")
        assert page.locator("figure img").count() == len(list(folder.glob("figures/*/*.svg"))) == 3

        assert column(page, "job_id") == ["0", "1", "2", "3", "4", "5"]
        sort(page, "nuts_llc_mean")
        assert column(page, "nuts_llc_mean") == ["9", "9", "10", "10", "100", "100"]  # as numbers
        sort(page, "nuts_llc_mean")
        assert column(page, "nuts_llc_mean") == ["100", "100", "10", "10", "9", "9"]
        assert page.locator("th[aria-sort=descending] button").inner_text() == "nuts_llc_mean"

        page.get_by_label("filter nuts_status").fill("=ok")
        assert column(page, "job_id") == ["2", "3", "0", "1"]
        page.get_by_label("filter data.n_data").fill("<100")
        assert column(page, "data.n_data") == ["90", "90"]
        assert page.locator("#count").inner_text() == "2 of 6 jobs"
        page.get_by_label("filter nuts_status").fill("!ok")
        assert page.locator("#count").inner_text() == "0 of 6 jobs"
        page.locator("#reset").click()
        assert len(column(page, "job_id")) == 6

        page.locator("#table tbody tr.job").nth(5).locator("button").click()
        details = page.locator("tr.details").inner_text()
        assert EVIL in details  # the reason of the verdict, as text
        assert f"python train.py data.n_data=1000 data.path={EVIL} seed=1" in details
        assert "posterior.gamma\t1.0" in details  # the configuration
        assert "target.stopped\tpolished" in details  # and the provenance
        assert "packages.jax" in details
        assert page.locator("#bibtex").inner_text().count("@article{hoffman2014,") == 1
        assert page.title() != "taken"


@pytest.mark.parametrize(
    ("text", "cell"),
    [("12", 12), ("123456789", 123456789), ("0.1234567", 0.123457), ("1e-05", 1e-05), ("100.0", 100.0), ("", None)]
    + [(text, text) for text in ("007", "12345e67", "0012345678ab", "1e999", "nan", "1_000", " 1", "small")],
)
def test_a_cell_is_a_number_only_where_a_table_writes_it_so(text: str, cell: object) -> None:
    assert _cell(text) == cell


def test_equal_tables_give_equal_bytes(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "results" / "sweeps" / NAME
    shutil.copytree(folder.parents[1], copy.parents[1])
    shutil.rmtree(copy / "figures")
    figures.write(copy, CAPTIONS)
    made = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    assert len(made) > 10
    for name in made:
        assert (copy / name).read_bytes() == (folder / name).read_bytes(), name


def test_figures_are_stale_for_what_they_were_made_from_alone(folder: Path, tmp_path: Path) -> None:
    assert plan.figures_stale(folder, CAPTIONS) == []
    copy = tmp_path / "made"
    shutil.copytree(folder, copy)
    about = json.loads((copy / "figures/made.json").read_text())
    about["code"]["llc/plots/along.py"] = "0" * 12
    (copy / "figures/made.json").write_text(json.dumps(about))
    assert plan.figures_stale(copy, CAPTIONS) == ["llc/plots/along.py"]
    next(copy.glob("figures/along/*.svg")).unlink()
    assert plan.figures_stale(copy, CAPTIONS) == [plan.DAMAGED]
    (copy / "report.html").unlink()
    assert plan.figures_stale(copy, CAPTIONS) == []  # there is nothing


def test_a_sweep_of_which_nothing_is_there_yet_has_a_page_that_says_why(tmp_path: Path) -> None:
    folder = tmp_path / "results/sweeps/none"
    write_jobs(folder, [{"data.n_data": n, "seed": 0} for n in (1, 2)])
    write_summary(folder, partial=True)
    figures.write(folder / "partial", CAPTIONS)
    page = (folder / "partial/report.html").read_text()
    assert "<h1>none (unfinished)</h1>" in page
    assert page.count("<td>not started</td>") == 2


def test_what_all_runs_share_is_there_once() -> None:
    records = [flat({"a": {"b": 1, "c": None}, "d": "x"}), flat({"a": {"b": 2, "c": None}, "e": []})]
    assert shared(records) == {
        "keys": ["a.b", "a.c", "d", "e"],
        "all": {"a.c": "null"},
        "each": {"a.b": ["1", "2"], "d": ["x", None], "e": [None, "[]"]},
    }
