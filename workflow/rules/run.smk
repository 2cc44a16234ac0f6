"""One run: one process, one folder."""


rule run:
    """Sample around the job's target and estimate the LLC with each of its samplers."""
    input:
        target=target_of,
        changes=changes_of_run,
    output:
        "results/runs/{run_id}/metrics_summary.csv",
    log:
        "results/runs/{run_id}/snakemake.log",
    benchmark:
        "results/runs/{run_id}/benchmark.tsv"
    conda:
        "../../envs/llc.yaml"
    threads: threads_of_run
    params:
        train=TRAIN,
        overrides=overrides_of_run,
        target=target_folder_of,
        folder=subpath(output[0], parent=True),
    shell:
        "python {params.train} {params.overrides:q} expect_id={wildcards.run_id} target={params.target}"
        " threads={threads} hydra.run.dir={params.folder} > {log} 2>&1"
