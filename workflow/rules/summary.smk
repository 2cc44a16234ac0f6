"""All runs of a sweep become its tables."""


rule jobs:
    """List the jobs of a sweep: number, run id, swept values, command."""
    input:
        input_of_jobs,
    output:
        "results/sweeps/{sweep}/jobs.csv",
    log:
        "results/sweeps/{sweep}/jobs.log",
    conda:
        "../../envs/llc.yaml"
    params:
        planned=lambda wildcards: planned_jobs(wildcards.sweep),
    shell:
        "cp {params.planned:q} {output:q} 2> {log:q}"


rule part:
    """Note that a part of a large sweep's runs is there."""
    input:
        input_of_part,
    output:
        touch("results/sweeps/{sweep}/.parts/{digit}"),


rule summary:
    """Aggregate the runs into one table with a row per job, and one with a row per estimate."""
    input:
        jobs="results/sweeps/{sweep}/jobs.csv",
        runs=input_of_summary,
    output:
        summary="results/sweeps/{sweep}/summary.csv",
        estimates="results/sweeps/{sweep}/estimates.csv",
        failures="results/sweeps/{sweep}/failures.csv",
    log:
        "results/sweeps/{sweep}/summary.log",
    conda:
        "../../envs/llc.yaml"
    params:
        folder=subpath(output.summary, parent=True),
    shell:
        "python -m llc.summary {params.folder:q} 2>&1 | tee {log:q} >&2"
