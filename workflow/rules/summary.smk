"""All runs of a sweep become its tables."""


rule jobs:
    """List the jobs of the sweep: number, run id, swept values, command."""
    output:
        "results/sweeps/{sweep}/jobs.csv",
    log:
        "results/sweeps/{sweep}/jobs.log",
    conda:
        "../../envs/llc.yaml"
    params:
        conf=CONF,
        rows=[str(job.row()) for job in JOBS.values()],
    shell:
        "python -m llc.sweep {wildcards.sweep} {params.conf} {output} > {log} 2>&1"


rule summary:
    """Aggregate the runs into one table with a row per job, and one with a row per estimate."""
    input:
        jobs="results/sweeps/{sweep}/jobs.csv",
        runs=expand("results/runs/{run_id}/metrics_summary.csv", run_id=JOBS),
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
        "python -m llc.summary {params.folder} > {log} 2>&1"
