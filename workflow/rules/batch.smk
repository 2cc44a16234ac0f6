"""Many small jobs: batches of them share a process, and a run or a target is what its batch has made."""

from llc.planning import batches

BATCHES = CACHE / "batches"
OF_RUN, OF_TARGET = {}, {}

if workflow.is_main_process:  # a cluster's job is given its batch by name
    if _only:
        batches.clear(BATCHES)
    OF_RUN, OF_TARGET = batches.make(
        BATCHES, JOBS, RUN_STATES, TARGETS, TARGET_STATES, RESULTS
    )


def input_of_batched_target(wildcards):
    batch = OF_TARGET.get(wildcards.target_id)
    return [*input_of_target(wildcards), *([batch] if batch else [])]


def input_of_batched_run(wildcards):
    batch = OF_RUN.get(wildcards.run_id)
    return [*input_of_run(wildcards), *([batch] if batch else [])]


def batches_before(wildcards):
    return batches.read(f"{BATCHES}/{wildcards.batch}")["after"]


def threads_of_batch(wildcards):
    return batches.read(f"{BATCHES}/{wildcards.batch}")["threads"]


localrules:
    target,
    run,


# A batch always ends well: what failed in it is seen by these, so that it fails alone.
rule target:
    """Take a target from its batch."""
    input:
        input_of_batched_target,
    output:
        update("results/targets/{target_id}/target.json"),
    params:
        train=TRAIN,
        arguments=arguments_of_target,
    shell:
        "test -e {output} # by itself: python {params.train:q} {params.arguments}"


rule run:
    """Take a run from its batch."""
    input:
        input_of_batched_run,
    output:
        update("results/runs/{run_id}/metrics_summary.csv"),
    params:
        train=TRAIN,
        arguments=arguments_of_run,
    shell:
        "test -e {output} # by itself: python {params.train:q} {params.arguments}"


rule batch:
    """Train and sample for many jobs in one process."""
    input:
        batches_before,
    output:
        temp(touch(f"{BATCHES}/{{batch}}")),
    log:
        f"{BATCHES}/{{batch}}.log",
    conda:
        "../../envs/llc.yaml"
    threads: threads_of_batch
    params:
        train=TRAIN,
        jobs=f"{BATCHES}/{{batch}}.json",
    shell:
        "python -m llc.worker {params.train:q} {params.jobs:q} {threads} > {log} 2>&1"
