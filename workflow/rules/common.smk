"""Expands and checks the sweeps, looks up what is there, and says so."""

import atexit
import os
import sys
import time
from dataclasses import replace
from functools import cache
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

from llc import locks
from llc.config import ConfigError, nearest
from llc.planning import plan, progress
from llc.planning.stamps import not_ahead
from llc.sweeps import sweep

ROOT = Path(workflow.basedir)
CONF = ROOT / "conf"
TRAIN = Path(os.path.relpath(ROOT / "train.py"))
CACHE = Path(".cache")
STALE = CACHE / "stale"
RESULTS = Path("results")
CAPTIONS = Path(os.path.relpath(ROOT / "workflow" / "report"))
TABLES = ["jobs.csv", "summary.csv", "estimates.csv", "failures.csv"]
SETTINGS = {
    "sweep": None,
    "batch": None,
    "code": ("check", "keep"),
    "again": ("run", "target"),
    "partial": ("false", "true"),
}

if set("{}") & set(f"{ROOT}"):
    raise WorkflowError(
        f"{ROOT}: to Snakemake braces in the path of a workflow are names; move the project to a folder without them"
    )

for _key, _value in config.items():
    if _key not in SETTINGS:
        raise WorkflowError(
            f"--config {_key}: the only keys are sweep=NAME, batch=N, code=keep, again=run, partial=true{nearest(_key, SETTINGS)}; "
            "a job's own settings belong in conf/sweep/NAME.yaml"
        )
    if SETTINGS[_key] and str(_value).lower() not in SETTINGS[_key]:
        raise WorkflowError(
            f"--config {_key}={_value}: must be {' or '.join(SETTINGS[_key])}"
        )

BATCH = str(config.get("batch", ""))
if BATCH and not (BATCH.isdecimal() and int(BATCH)):
    raise WorkflowError(
        f"--config batch={BATCH}: must be how many jobs may share a process, at least 1"
    )

KEEP_CODE = str(config.get("code")).lower() == "keep"
AGAIN = str(config["again"]).lower() if "again" in config else None
PARTIAL = str(config.get("partial")).lower() == "true"


class Asked(dict):
    """What there is of the sweeps that were asked for, by name or id."""

    def __missing__(self, name):
        raise WorkflowError(
            f"{name}: of no sweep that was asked for, which are {', '.join(PLANS)}; name its own, --config sweep=NAME"
        )


try:
    if workflow.is_main_process:
        # Held until this process ends.
        _lock, _only = locks.enter(CACHE / "snakemake.lock", Path(".snakemake/locks"))
        if not _only:
            print(
                f"another snakemake is at work here; fuser {CACHE}/snakemake.lock names it",
                file=sys.stderr,
            )
    PLANS = Asked()
    for _name in str(config.get("sweep", DEFAULT_SWEEP)).split(","):
        _jobs = sweep.load(_name, CONF, Path.cwd(), CACHE / "plans")
        if BATCH:
            _jobs = [replace(job, batch=int(BATCH)) for job in _jobs]
        PLANS[_name] = plan.make(_name, _jobs, RESULTS, KEEP_CODE, AGAIN)
except ConfigError as error:
    raise WorkflowError(str(error))
except OSError as error:
    raise WorkflowError(
        f"{error.filename or CACHE}: {error.strerror}; even a plan writes to .cache/ and .snakemake/ here: "
        "free the disk, or work in a copy of the project that you may write to"
    )


@cache
def show_plans():
    for planned in PLANS.values():
        progress.say(plan.text(planned))


if workflow.is_main_process:
    # After all that a dry run prints; a real run has shown it when it started.
    atexit.register(show_plans)


@cache
def watch():
    """Say a line for each run that ends, in the place of Snakemake's own, unless these are asked for."""
    logger.addHandler(progress.Watch(PLANS.values(), RESULTS))
    settings = workflow.output_settings
    if not (settings.printshellcmds or settings.verbose):
        for handler in logger.handlers:
            if handler.name == "DefaultStreamHandler":
                handler.addFilter(progress.Quiet())
    return time.monotonic()


def show_summaries():
    for name, before in PLANS.items():
        seconds = time.monotonic() - watch()
        progress.say(progress.summary(before, RESULTS, seconds, partial=PARTIAL))


if workflow.is_main_process:
    for _name in PLANS:
        _folder = RESULTS / "sweeps" / _name
        for _path in [*_folder.glob("*"), *_folder.glob(".parts/*")]:
            not_ahead(_path)

_jobs = [job for planned in PLANS.values() for job in reversed(planned.jobs)]
JOBS = Asked((job.run_id, job) for job in _jobs)
# Any job of a target describes it: the first one trains it.
TARGETS = Asked((job.target_id, job) for job in _jobs)
RUN_STATES = Asked(item for planned in PLANS.values() for item in planned.runs.items())
TARGET_STATES = {
    target_id: state
    for planned in PLANS.values()
    for target_id, state in planned.targets.items()
}


wildcard_constraints:
    sweep="[^/]+",
    batch="[0-9]+-(run|target)s-[0-9]+",
    run_id="[0-9a-f]{12}",
    target_id="[0-9a-f]{12}",
