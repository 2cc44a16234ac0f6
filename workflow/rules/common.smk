"""Expands and checks the sweep; what the rules look up about a job. No stage of its own."""

from pathlib import Path

from snakemake.exceptions import WorkflowError

from llc import sweep
from llc.config import ConfigError

ROOT = Path(workflow.basedir)
CONF = ROOT / "conf"
TRAIN = Path(os.path.relpath(ROOT / "train.py"))

unknown = set(config) - {"sweep"}
if unknown:
    raise WorkflowError(
        f"--config {' '.join(sorted(unknown))}: the only key is sweep=NAME; a job's own settings "
        "belong in conf/sweep/NAME.yaml"
    )

SWEEP = str(config.get("sweep", DEFAULT_SWEEP))
try:
    _jobs = sweep.load(SWEEP, CONF, Path.cwd())
except ConfigError as error:
    raise WorkflowError(str(error))

JOBS = {job.run_id: job for job in _jobs}
# Any job of a target describes it: the first one trains it.
TARGETS = {job.target_id: job for job in reversed(_jobs)}


wildcard_constraints:
    run_id="[0-9a-f]{12}",
    target_id="[0-9a-f]{12}",


def target_of(wildcards):
    return f"results/targets/{JOBS[wildcards.run_id].target_id}/target.json"


# These take `output` so that Snakemake does not compare them: the same job spelled
# otherwise is the same run, and its id says all that matters.
def overrides_of_run(wildcards, output):
    return JOBS[wildcards.run_id].overrides


def overrides_of_target(wildcards, output):
    job = TARGETS[wildcards.target_id]
    return [*job.overrides, f"expect_id={job.run_id}"]


def threads_of_run(wildcards):
    return JOBS[wildcards.run_id].job.threads


def threads_of_target(wildcards):
    return TARGETS[wildcards.target_id].job.threads
