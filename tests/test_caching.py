"""What an edit makes run again, and what not: each row asks the real Snakemake for its plan."""

import os
import shutil
from pathlib import Path

import pytest
from editing import (
    BASE,
    BODY,
    Edit,
    aged,
    file,
    half,
    made_again,
    new_file,
    posterior,
    sweep,
    together,
    touched,
    without,
    write_sweep,
)
from projects import Project

NOTHING: dict[str, int] = {}
AFTER = {"summary": 1, "figures": 1}  # a run was made anew
RUN_AGAIN = {"run": 1, "summary": 1}  # of what goes up to the tables
TABLE = {"jobs": 1, **AFTER}  # the list of jobs reads otherwise; no run is made
FIGURES = {"figures": 1}
ALL = {"target": 2, "run": 4, **AFTER}
ALL_NEW = {"jobs": 1, **ALL}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return a project whose sweep ``base``, two sets of samplers × two seeds, is finished."""
    project = Project(tmp_path_factory.mktemp("caching"), figures=True)
    write_sweep(project, **BASE)
    done = project.snakemake("base")
    assert done.returncode == 0, done.stderr
    return project


@pytest.fixture
def single(project: Project) -> Project:
    """Return that project with a sweep ``single`` of one of those runs, up to its tables, which is finished."""
    single = Project.at(project.folder, figures=False)
    write_sweep(single, "single", sampler__names="[sgld]", seed="0")
    done = single.snakemake("single")
    assert done.returncode == 0, done.stderr
    return single


# Nothing is to run again for any of them, so none hides another.
HARMLESS: dict[str, Edit] = {
    "a comment in a preset": file("conf/model/small.yaml", "depth: 1", "depth: 1 # one"),
    "a preset that no job uses": file("conf/model/base.yaml", "10000", "20000"),
    "settings of a sampler that no job uses": file("conf/sampler/base.yaml", "names:", "hmc: {draws: 99}\nnames:"),
    "a preset that states a default": file("conf/sampler/base.yaml", "names:", "nuts: {target_accept: 0.8}\nnames:"),
    "a sampler that no job uses": file("llc/samplers/mclmc.py", "import jax\n", "import jax\nX = 1\n"),
    "a comment in the code": posterior("# why"),
    "a docstring": file("llc/posterior.py", '"""The', '"""Of all posteriors the'),
    "layout": posterior("\n\n"),
    "the summary's code": file("llc/tables/gathering.py", "SHOWN = 10", "SHOWN = 11"),
    "the planning's code": file("llc/planning/plan.py", "LISTED = 5", "LISTED = 6"),
    "a comment in the figures' code": file("llc/plots/along.py", "PANELS = 12", "PANELS = 12 #"),
    "a module that nothing imports": new_file("llc/extra.py", "FACTOR = 2\n"),
    "the text of a rule": file(
        "workflow/rules/run.smk", '        "python {params.train:q}', '        "python  {params.train:q}'
    ),
    "every source touched": touched("llc/**/*.py", "conf/**/*.yaml", "workflow/**/*", "train.py"),
}
RUN = "results/runs/*/"
ROWS: list[tuple[str, Edit, dict[str, int], str]] = [
    ("each of the harmless edits", together(*HARMLESS.values()), NOTHING, ""),
    # -------------------------------------------------- what the sweep says, and how it says it
    (
        "a comment, the default, more threads, and the axes in Hydra's other syntax",
        sweep(
            "# @package _global_\n# what for\n"
            + BODY.removeprefix("# @package _global_\n").replace("hydra:", "precision: float32\nthreads: 2\nhydra:"),
            sampler__names="choice([sgld],[nuts])",
            seed="range(0,2)",
        ),
        NOTHING,
        "",
    ),
    ("an axis added with its default", sweep(**BASE, posterior__gamma="1"), TABLE, ""),
    ("the values in another order", sweep(sampler__names="[nuts],[sgld]", seed="1,0"), TABLE, ""),
    (
        "the axes in another order, another name of a key, a default preset, its values, another spelling",
        sweep(
            **{"++seed": "0,1"},
            sampler__names="[sgld],[nuts]",
            model="small",
            model__target_params="50",
            model__depth="1",
            sampler__sgld__step_size="0.0001",
        ),
        TABLE,
        "",
    ),
    ("an axis of sections", sweep(**BASE, posterior="{gamma: 1},{gamma: 2}"), {"jobs": 1, "run": 4, **AFTER}, ""),
    ("a seed more", sweep(**BASE | {"seed": "0,1,2"}), {"jobs": 1, "target": 1, "run": 2, **AFTER}, ""),
    (
        "a set of samplers more",
        sweep(**BASE | {"sampler__names": "[sgld],[nuts],[hmc]"}),
        {"jobs": 1, "run": 2, **AFTER},
        "",
    ),
    ("a seed less", sweep(**BASE | {"seed": "1"}), TABLE, ""),
    ("another precision", sweep(**BASE, precision="float64"), ALL_NEW, ""),
    # ------------------------------------------------------------------------------------ presets
    ("a value of a preset", file("conf/model/small.yaml", "target_params: 50", "target_params: 70"), ALL_NEW, ""),
    (
        "a preset of sampling",
        file("conf/posterior/base.yaml", "gamma: 1.0", "gamma: 2.0"),
        {"jobs": 1, "run": 4, **AFTER},
        "",
    ),
    (
        "settings of one sampler",
        file("conf/sampler/base.yaml", "names:", "nuts: {target_accept: 0.9}\nnames:"),
        {"jobs": 1, "run": 2, **AFTER},
        "",
    ),
    (
        "a default in the schema",
        file(
            "llc/config/samplers.py",
            "target_accept: float = 0.8  # the least: more where over 0.5 % of the draws diverge\n    max_tree",
            "target_accept: float = 0.9  # the least: more where over 0.5 % of the draws diverge\n    max_tree",
        ),
        {"jobs": 1, "run": 2, **AFTER},
        "",
    ),
    ("the version of the schema", file("llc/jobs/ids.py", "SCHEMA = 1", "SCHEMA = 999"), ALL_NEW, ""),
    # --------------------------------------------------------------------------------------- code
    ("what both stages compute", posterior("EDITED = 1"), ALL, "llc/posterior.py"),
    (
        "the same with an old time",
        aged("llc/posterior.py", "import math\n", "import math\nX = 1\n"),
        ALL,
        "llc/posterior.py",
    ),
    (
        "the training",
        file("llc/targets/training.py", "CHECK_EVERY = 50", "CHECK_EVERY = 25"),
        ALL,
        "llc/targets/training.py",
    ),
    (
        "the estimate",
        file("llc/estimates/limits.py", "RHAT_MAX = 1.01", "RHAT_MAX = 1.02"),
        {"run": 4, **AFTER},
        "llc/estimates/limits.py",
    ),
    (
        "one sampler",
        file("llc/samplers/sgld.py", "import jax\n", "import jax\nX = 1\n"),
        {"run": 2, **AFTER},
        "llc/samplers/sgld.py",
    ),
    ("the figures' code", file("llc/plots/along.py", "PANELS = 12", "PANELS = 13"), FIGURES, "llc/plots/along.py"),
    ("the page's script", file("llc/page/page.js", "PAGE = 100", "PAGE = 99"), FIGURES, "llc/page/page.js"),
    ("a caption", aged("workflow/report/along.rst", "The estimate", "Each estimate"), FIGURES, "report/along.rst"),
    # -------------------------------------------------------------------------------- what is there
    (
        "a result and a run gone, a result and traces cut short, of a run each",
        together(
            half(RUN + "metrics_summary.csv", 2),
            half(RUN + "traces.nc", 3),
            without(RUN + "metrics_summary.csv", 0),
            without("results/runs/*", 1),
        ),
        {"run": 4, **AFTER},
        "run again; metrics_summary.csv; traces.nc; cut short",
    ),
    (
        "traces gone, a configuration and a record cut short, of a run each",
        together(without(RUN + "traces.nc", 0), half(RUN + "config.yaml", 1), half(RUN + "run_info.json", 2)),
        {"run": 3, **AFTER},
        "missing; cut short; not readable",
    ),
    ("the table gone", without("results/sweeps/base/summary.csv"), {**AFTER}, ""),
    ("the list of jobs gone", without("results/sweeps/base/jobs.csv"), TABLE, ""),
    ("the table cut short", half("results/sweeps/base/summary.csv"), AFTER, "base.tables"),
    ("the estimates cut short", half("results/sweeps/base/estimates.csv"), AFTER, "base.tables"),
    ("the record of the tables gone", without("results/sweeps/base/tables.json"), AFTER, "base.tables"),
    ("the page cut short", half("results/sweeps/base/report.html"), FIGURES, "damaged"),
    ("a run made again meanwhile", made_again, AFTER, "base.tables"),
    ("every result touched", touched(RUN + "metrics_summary.csv"), NOTHING, ""),
    ("the estimates gone", without("results/sweeps/base/estimates.csv"), {**AFTER}, ""),
    ("the list of failures gone", without("results/sweeps/base/failures.csv"), {**AFTER}, ""),
    ("the page gone", without("results/sweeps/base/report.html"), FIGURES, ""),
    ("a figure gone", without("results/sweeps/base/figures/along/*.pdf"), FIGURES, "damaged"),
    ("the record of the figures cut short", half("results/sweeps/base/figures/made.json"), FIGURES, "damaged"),
    ("the list of jobs edited", half("results/sweeps/base/jobs.csv"), TABLE, ""),
    ("the targets of finished runs gone", without("results/targets"), NOTHING, ""),
    ("the kept plan cut short", half(".cache/plans/base.json"), NOTHING, ""),
    ("what Snakemake remembers gone", without(".snakemake"), NOTHING, ""),
]


@pytest.mark.parametrize(("edit", "expected", "says"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_an_edit_makes_run_again(project: Project, edit: Edit, expected: dict[str, int], says: str) -> None:
    with edit(project):
        planned, text = project.plan("base")
    assert planned == expected
    assert all(part in text for part in says.split("; "))


def test_after_all_of_them_there_is_nothing_to_do(project: Project) -> None:
    assert project.planned("base") == NOTHING


def test_a_run_without_a_target_that_is_needed_again_trains_it(project: Project) -> None:
    with without("results/targets")(project), without(RUN + "metrics_summary.csv")(project):
        assert project.planned("base") == {"target": 1, "run": 1, **AFTER}


def test_code_keep_keeps_what_other_code_made_and_says_so(project: Project) -> None:
    tables, small = Project.at(project.folder, figures=False), {"sampler__names": "[sgld]", "seed": "0"}
    with posterior("EDITED = 1")(project):
        planned, text = project.plan("base", "code=keep")
        assert planned == NOTHING
        assert "some made by other code: llc/posterior.py changed" in text
        write_sweep(project, "keep", **small | {"seed": "0,7"})
        assert tables.planned("keep", "code=keep") == {"jobs": 1, "target": 1, **RUN_AGAIN}
        done = tables.snakemake("keep", "code=keep")
        assert done.returncode == 0, done.stderr
        kept, new = project.table("keep")["code"]
        assert kept != new
        assert "not all made by the same code" in (project.folder / "results/sweeps/keep/summary.log").read_text()
        assert tables.planned("keep") == {"target": 1, **RUN_AGAIN}


def test_a_stale_run_is_made_once_and_then_again_only_when_it_is_stale_again(single: Project) -> None:
    for edit in ("1.02", "1.03"):
        with file("llc/estimates/limits.py", "RHAT_MAX = 1.01", f"RHAT_MAX = {edit}")(single):
            assert single.planned("single") == RUN_AGAIN
            assert single.snakemake("single").returncode == 0
            assert single.planned("single") == NOTHING
    assert single.planned("single") == RUN_AGAIN


def test_results_that_are_put_back_from_a_copy_are_as_stale_as_they_were(single: Project, tmp_path: Path) -> None:
    """Snakemake has made them again meanwhile, for the same reason, and remembers that."""
    results = single.folder / "results"
    shutil.copytree(results, tmp_path / "copy")
    with file("llc/estimates/limits.py", "RHAT_MAX = 1.01", "RHAT_MAX = 1.02")(single):
        assert single.snakemake("single").returncode == 0
        for made in results.rglob("*"):  # older files in their places, as from a copy
            if (old := tmp_path / "copy" / made.relative_to(results)).is_file():
                shutil.copy2(old, made)
        assert single.planned("single") == RUN_AGAIN
        assert single.snakemake("single").returncode == 0
        assert single.planned("single") == NOTHING


def test_what_is_done_is_made_again_when_it_is_asked_for(single: Project) -> None:
    for what, expected in (("run", RUN_AGAIN), ("target", {"target": 1, **RUN_AGAIN})):
        planned, text = single.plan("single", f"again={what}", "batch=2")
        assert planned == expected | {"batch": 1}
        assert "stale                  1   asked for: made again" in text
        assert single.planned("single", f"again={what}") == expected
        assert "runs 1 made, 0 reused" in single.snakemake("single", f"again={what}").stderr
        assert single.planned("single") == NOTHING


@pytest.mark.parametrize("forced", [["-F"], ["-R", "run"], ["-R", "summary", "target"]])
def test_a_force_that_would_do_nothing_says_what_does(project: Project, forced: list[str]) -> None:
    done = project.snakemake("base", arguments=forced)
    assert done.returncode == 1
    assert "--config again=run makes the runs of the sweep again" in done.stderr


def test_what_is_dated_in_the_future_is_made_again_once_where_it_must_be(single: Project) -> None:
    (run_id,) = single.table("single")["run_id"]
    traces = single.folder / "results/runs" / run_id / "traces.nc"
    traces.write_bytes(b"")
    for path in [*(single.folder / "results").rglob("*"), *(single.folder / ".cache/stale").rglob("*")]:
        os.utime(path, (4e9, 4e9))
    assert single.planned("single") == RUN_AGAIN
    done = single.snakemake("single")
    assert done.returncode == 0, done.stderr
    assert traces.stat().st_size
    assert single.planned("single") == NOTHING


def test_a_plan_is_a_short_table_that_needs_no_jax(project: Project) -> None:
    write_sweep(project, **BASE | {"seed": "0,1,2"})
    own = project.table("base")["run_id"][0]  # runs of other sweeps are there too
    with half(f"results/runs/{own}/traces.nc")(project):
        _, text = project.plan("base")
    write_sweep(project, **BASE)
    lines = text[text.index("sweep base: 6 jobs") :].splitlines()
    assert [line.split()[:2] for line in lines[1:5]] == [
        ["done", "3"],
        ["stale", "1"],
        ["to", "run"],
        ["targets", "to"],
    ]
    assert "core-hours, going by 3 finished runs" in text
    imports = "import sys; from llc.planning import plan; from llc.sweeps import sweep;"
    script = f"{imports} print(sorted({{'jax', 'pandas', 'hydra'}} & set(sys.modules)))"
    assert project.command("python", "-c", script).stdout.strip() == "[]"
