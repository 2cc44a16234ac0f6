"""Cached, resumable sweeps of local learning coefficients: snakemake --cores 8 --config sweep=NAME"""

from snakemake.utils import min_version

min_version("9.0")


DEFAULT_SWEEP = "digits"  # conf/sweep/digits.yaml; sweep=a,b for several


include: "workflow/rules/common.smk"
include: "workflow/rules/inputs.smk"


if any(job.batch > 1 for job in JOBS.values()):

    include: "workflow/rules/batch.smk"

else:

    include: "workflow/rules/target.smk"
    include: "workflow/rules/run.smk"


include: "workflow/rules/summary.smk"
include: "workflow/rules/figures.smk"


report: "workflow/report/workflow.rst"


rule all:
    default_target: not PARTIAL
    input:
        expand(
            "results/sweeps/{sweep}/{file}",
            sweep=PLANS,
            file=TABLES + ["report.html"],
        ),
        [run for name in PLANS for run in lost_runs(name)],


# Here, since a default target that an included file sets does not count.
rule partial:
    """Aggregate what is there of unfinished sweeps, and name what is missing."""
    default_target: PARTIAL
    input:
        expand("results/sweeps/{sweep}/jobs.csv", sweep=PLANS),
    log:
        "results/partial.log",
    conda:
        "envs/llc.yaml"
    params:
        folders=expand("results/sweeps/{sweep}", sweep=PLANS),
        captions=CAPTIONS,
    shell:
        'for folder in {params.folders:q}; do python -m llc.summary --partial "$folder"; '
        'python -m llc.figures "$folder"/partial {params.captions:q}; done 2>&1 | tee {log} >&2'


onstart:
    keep_planned_jobs()
    show_plans()
    watch()


onsuccess:
    show_summaries()


onerror:
    for name in PLANS:
        folder = f"results/sweeps/{name}"
        if Path(folder, "jobs.csv").exists():  # not with --until run
            shell("python -m llc.summary --failures {folder:q} >&2")
    show_summaries()
