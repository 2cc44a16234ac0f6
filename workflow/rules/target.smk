"""Trains each distinct target once; all runs that sample around it share it."""


rule target:
    """Train one network to w*, or take its teacher's weights."""
    input:
        input_of_target,
    output:
        "results/targets/{target_id}/target.json",
    log:
        "results/targets/{target_id}/snakemake.log",
    conda:
        "../../envs/llc.yaml"
    threads: threads_of_target
    params:
        train=TRAIN,
        arguments=arguments_of_target,
    shell:
        "python {params.train:q} {params.arguments} threads={threads} > {log} 2>&1"
