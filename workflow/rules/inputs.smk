"""What the rules look up in the plans: the input, the arguments and the threads of a job, and what is gathered."""

import shlex
from pathlib import Path

from snakemake.exceptions import WorkflowError

from llc.files import write_text
from llc.planning import plan
from llc.planning.stamps import not_ahead, stamp
from llc.sweeps import sweepjob


# What has not changed is no input: a finished run does not depend on its target any more, and
# a thing is stale for the stamps that its input has. One function for all of a rule's input and
# one for its arguments: at 10,000 jobs each of them is a second of planning.
def input_of_run(wildcards):
    folder, state = f"results/runs/{wildcards.run_id}", RUN_STATES[wildcards.run_id]
    if state.kind == "done":
        return []
    target = f"results/targets/{JOBS[wildcards.run_id].target_id}/target.json"
    not_ahead(Path(target))
    return [
        target,
        *(
            stamp(STALE, why, Path(folder, "metrics_summary.csv"))
            for why in state.causes()
        ),
    ]


def input_of_target(wildcards):
    state = TARGET_STATES.get(wildcards.target_id)
    result = RESULTS / "targets" / wildcards.target_id / "target.json"
    return [stamp(STALE, why, result) for why in state.causes()] if state else []


def input_of_jobs(wildcards):
    table = RESULTS / "sweeps" / wildcards.sweep / "jobs.csv"
    wanted = sweepjob.table(PLANS[wildcards.sweep].jobs)
    if not table.exists() or table.read_bytes() == wanted.encode():
        return []
    return stamp(STALE, f"{wildcards.sweep}.jobs", table)


def planned_jobs(name):
    """Return the file with the list of a sweep's jobs as they were planned: its own may have been edited since."""
    return CACHE / "jobs" / f"{name}.csv"


def keep_planned_jobs():
    for name, planned in PLANS.items():
        planned_jobs(name).parent.mkdir(exist_ok=True)
        write_text(planned_jobs(name), sweepjob.table(planned.jobs))


# These take `output` so that Snakemake does not compare them: the same job spelled
# otherwise is the same run, and its id says all that matters. One text each, as Snakemake takes
# its time to quote a list.
def arguments_of_run(wildcards, output):
    return shlex.join(JOBS[wildcards.run_id].command("run", RESULTS))


def arguments_of_target(wildcards, output):
    return shlex.join(TARGETS[wildcards.target_id].command("target", RESULTS))


def threads_of_run(wildcards):
    return JOBS[wildcards.run_id].threads


def threads_of_target(wildcards):
    return TARGETS[wildcards.target_id].threads


def input_of_figures(wildcards):
    folder = RESULTS / "sweeps" / wildcards.sweep
    page = folder / "report.html"
    return [stamp(STALE, why, page) for why in plan.figures_stale(folder, CAPTIONS)]


def figures(kind, label):
    """Return the folder of the figures of a kind, each with its caption in the report."""
    return report(
        directory(f"results/sweeps/{{sweep}}/figures/{kind}"),
        patterns=["{figure}.svg"],
        caption=f"../report/{kind}.rst",
        category="{sweep}",
        labels={"figure": label},
    )


# A job with N inputs that other jobs make costs Snakemake O(N²): above this many the runs of a
# sweep are gathered in parts, by the first digit of their ids.
PART_ABOVE = 500


def part_of(name, run_id):
    """Return the file whose making shows that all runs with this one were there."""
    folder = f"results/sweeps/{name}"
    return (
        f"{folder}/.parts/{run_id[0]}"
        if len(PLANS[name].runs) > PART_ABOVE
        else f"{folder}/summary.csv"
    )


def to_run(name, digit=""):
    """Return the results of those runs that are to be made."""
    runs = PLANS[name].runs.items()
    ids = (i for i, state in runs if state.kind != "done" and i.startswith(digit))
    return [f"results/runs/{run_id}/metrics_summary.csv" for run_id in ids]


def input_of_part(wildcards):
    return to_run(wildcards.sweep, wildcards.digit)


def input_of_summary(wildcards):
    planned = PLANS[wildcards.sweep]
    _done_is_not_forced(planned)
    if plan.tables_stale(planned, RESULTS):
        summary = RESULTS / "sweeps" / planned.name / "summary.csv"
        return stamp(STALE, f"{planned.name}.tables", summary)
    if len(planned.runs) > PART_ABOVE:
        return sorted({part_of(planned.name, run_id) for run_id in planned.runs})
    return to_run(planned.name)


def _done_is_not_forced(planned):
    """Raise where runs that are done are to be forced: they are no jobs here that Snakemake could force."""
    forced = workflow.dag_settings  # None until the rules are read
    asked = forced.forceall or {"run", "target"} & set(forced.forcerun)
    if (
        asked
        and not AGAIN
        and any(state.kind == "done" for state in planned.runs.values())
    ):
        raise WorkflowError(
            "-F and -R force no run that is done: --config again=run makes the runs of the sweep again, "
            "again=target its targets too"
        )


def lost_runs(name):
    """Return the runs that are gone although a table has them: nothing else asks for these."""
    states = PLANS[name].runs
    gone = [
        i
        for i in states
        if states[i].kind in ("missing", "failed", "running")
        and Path(part_of(name, i)).exists()
    ]
    return [f"results/runs/{run_id}/metrics_summary.csv" for run_id in gone]
