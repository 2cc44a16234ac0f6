"""Trains each distinct target once; all runs that sample around it share it."""


rule target:
    """Train one network to w*, or take its teacher's weights."""
    input:
        changes=changes_of_target,
    output:
        "results/targets/{target_id}/target.json",
    log:
        "results/targets/{target_id}/snakemake.log",
    benchmark:
        "results/targets/{target_id}/benchmark.tsv"
    conda:
        "../../envs/llc.yaml"
    threads: threads_of_target
    params:
        train=TRAIN,
        overrides=overrides_of_target,
        folder=subpath(output[0], parent=True),
    shell:
        "python {params.train} {params.overrides:q} stage=target threads={threads}"
        " hydra.run.dir={params.folder} > {log} 2>&1"
