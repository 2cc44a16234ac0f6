"""Cached, resumable sweeps of local learning coefficients: snakemake --cores 8 --config sweep=NAME"""

from snakemake.utils import min_version

min_version("9.0")


DEFAULT_SWEEP = "digits"  # conf/sweep/digits.yaml


include: "workflow/rules/common.smk"
include: "workflow/rules/target.smk"
include: "workflow/rules/run.smk"
include: "workflow/rules/summary.smk"


rule all:
    default_target: True
    input:
        f"results/sweeps/{SWEEP}/summary.csv",
        [f"results/runs/{run_id}/metrics_summary.csv" for run_id in JOBS],


onerror:
    shell(f"python -m llc.summary --failures results/sweeps/{SWEEP} >&2")
