"""Expands and checks the sweeps, looks up what is there; what the rules look up about a job."""

import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

from llc import locks, plan, sweep
from llc.config import ConfigError, nearest
from llc.stamps import stamp

ROOT = Path(workflow.basedir)
CONF = ROOT / "conf"
TRAIN = Path(os.path.relpath(ROOT / "train.py"))
CACHE = Path(".cache")
STALE = CACHE / "stale"
RESULTS = Path("results")
SETTINGS = {"sweep": None, "code": ["keep", "check"], "partial": [True, False]}

for _key, _value in config.items():
    if _key not in SETTINGS:
        raise WorkflowError(
            f"--config {_key}: the only keys are sweep=NAME, code=keep, partial=true{nearest(_key, SETTINGS)}; "
            "a job's own settings belong in conf/sweep/NAME.yaml"
        )
    if SETTINGS[_key] and _value not in SETTINGS[_key]:
        raise WorkflowError(f"--config {_key}={_value}: must be one of {SETTINGS[_key]}")

PARTIAL = config.get("partial", False)

if workflow.is_main_process:
    # Held until this process ends.
    _lock, _only = locks.enter(
        CACHE / "snakemake.lock", Path(".snakemake/locks"))
    if not _only:
        print(f"another snakemake is at work here; fuser {CACHE}/snakemake.lock names it", file=sys.stderr)

try:
    PLANS = {}
    for _name in str(config.get("sweep", DEFAULT_SWEEP)).split(","):
        _jobs = sweep.load(_name, CONF, Path.cwd(), CACHE / "plans")
        PLANS[_name] = plan.make(_name, _jobs, RESULTS, config.get("code") == "keep")
except ConfigError as error:
    raise WorkflowError(str(error))

if workflow.is_main_process:
    for _plan in PLANS.values():
        print(plan.text(_plan), file=sys.stderr)

JOBS = {job.run_id: job for made in PLANS.values() for job in reversed(made.jobs)}
# Any job of a target describes it: the first one trains it.
TARGETS = {job.target_id: job for made in PLANS.values() for job in reversed(made.jobs)}
RUN_STATES = {run_id: state for made in PLANS.values() for run_id, state in made.runs.items()}
TARGET_STATES = {target_id: state for made in PLANS.values() for target_id, state in made.targets.items()}


wildcard_constraints:
    sweep="[^/]+",
    run_id="[0-9a-f]{12}",
    target_id="[0-9a-f]{12}",


# What has not changed is no input: a finished run does not depend on its target any more, and
# a thing is stale for the stamps that its input has.
def target_of(wildcards):
    if RUN_STATES[wildcards.run_id].kind == "done":
        return []
    return f"results/targets/{JOBS[wildcards.run_id].target_id}/target.json"


def changes_of_run(wildcards):
    result = RESULTS / "runs" / wildcards.run_id / "metrics_summary.csv"
    return [stamp(STALE, why, result) for why in RUN_STATES[wildcards.run_id].causes()]


def changes_of_target(wildcards):
    state = TARGET_STATES.get(wildcards.target_id)
    result = RESULTS / "targets" / wildcards.target_id / "target.json"
    return [stamp(STALE, why, result) for why in state.causes()] if state else []


def changes_of_jobs(wildcards):
    table = RESULTS / "sweeps" / wildcards.sweep / "jobs.csv"
    if not table.exists() or table.read_text(encoding="utf-8") == sweep.table(PLANS[wildcards.sweep].jobs):
        return []
    return stamp(STALE, f"{wildcards.sweep}.jobs", table)


# These take `output` so that Snakemake does not compare them: the same job spelled
# otherwise is the same run, and its id says all that matters.
def overrides_of_run(wildcards, output):
    return JOBS[wildcards.run_id].overrides


def target_folder_of(wildcards, output):
    return f"results/targets/{JOBS[wildcards.run_id].target_id}"


def overrides_of_target(wildcards, output):
    job = TARGETS[wildcards.target_id]
    return [*job.overrides, f"expect_id={job.run_id}"]


def threads_of_run(wildcards):
    return JOBS[wildcards.run_id].threads


def threads_of_target(wildcards):
    return TARGETS[wildcards.target_id].threads
