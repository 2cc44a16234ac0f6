"""One run: one process, one folder."""


rule run:
    """Sample around the job's target and estimate the LLC with each of its samplers."""
    input:
        input_of_run,
    output:
        "results/runs/{run_id}/metrics_summary.csv",
    log:
        "results/runs/{run_id}/snakemake.log",
    conda:
        "../../envs/llc.yaml"
    threads: threads_of_run
    params:
        train=TRAIN,
        arguments=arguments_of_run,
    shell:
        "python {params.train:q} {params.arguments} threads={threads} > {log} 2>&1"
