"""All runs of a sweep become its tables."""

# A job with N inputs that other jobs make costs Snakemake O(N²): above this many the runs of a
# sweep are gathered in parts, by the first digit of their ids.
PART_ABOVE = 500


def part_of(name, run_id):
    """Return the file whose making shows that all runs with this one were there."""
    folder = f"results/sweeps/{name}"
    return f"{folder}/.parts/{run_id[0]}" if len(PLANS[name].runs) > PART_ABOVE else f"{folder}/summary.csv"


def runs_of_part(wildcards):
    runs = PLANS[wildcards.sweep].runs
    return [f"results/runs/{run_id}/metrics_summary.csv" for run_id in runs if run_id[0] == wildcards.digit]


def runs_of_summary(wildcards):
    runs = PLANS[wildcards.sweep].runs
    if len(runs) > PART_ABOVE:
        return sorted({part_of(wildcards.sweep, run_id) for run_id in runs})
    return [f"results/runs/{run_id}/metrics_summary.csv" for run_id in runs]


def lost_runs(name):
    """Return the runs that are gone although a table has them: nothing else asks for these."""
    gone = [job.run_id for job in PLANS[name].to_run() if Path(part_of(name, job.run_id)).exists()]
    return [f"results/runs/{run_id}/metrics_summary.csv" for run_id in gone]


rule jobs:
    """List the jobs of a sweep: number, run id, swept values, command."""
    input:
        changes=changes_of_jobs,
    output:
        "results/sweeps/{sweep}/jobs.csv",
    log:
        "results/sweeps/{sweep}/jobs.log",
    conda:
        "../../envs/llc.yaml"
    params:
        conf=CONF,
        plans=CACHE / "plans",
    shell:
        "python -m llc.sweep {wildcards.sweep} {params.conf} {output} {params.plans} > {log} 2>&1"


rule part:
    """Note that a part of a large sweep's runs is there."""
    input:
        runs_of_part,
    output:
        touch("results/sweeps/{sweep}/.parts/{digit}"),


rule summary:
    """Aggregate the runs into one table with a row per job, and one with a row per estimate."""
    input:
        jobs="results/sweeps/{sweep}/jobs.csv",
        runs=runs_of_summary,
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


rule partial:
    """Aggregate what is there of unfinished sweeps, and name what is missing."""
    input:
        expand("results/sweeps/{sweep}/jobs.csv", sweep=PLANS),
    log:
        "results/partial.log",
    conda:
        "../../envs/llc.yaml"
    params:
        folders=subpath(input[:], parent=True),
    shell:
        "for folder in {params.folders:q}; do python -m llc.summary --partial $folder; done 2>&1 | tee {log} >&2"
