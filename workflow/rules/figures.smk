"""The tables of a sweep become figures and a page."""


rule figures:
    """Draw a sweep for its own axes, and put all of it on one page."""
    input:
        "results/sweeps/{sweep}/summary.csv",
        input_of_figures,
    output:
        figures("along", "λ̂ against {figure}"),
        figures("training", "over training: {figure}"),
        figures("samplers", "samplers against {figure}"),
        figures("known", "error against {figure}"),
        figures("heat", "calibration: {figure}"),
        figures("diagnostics", "diagnostics: {figure}"),
        figures("traces", "traces: {figure}"),
        page=report(
            "results/sweeps/{sweep}/report.html",
            caption="../report/page.rst",
            category="{sweep}",
            labels={"figure": "all on one page, with every run"},
        ),
    log:
        "results/sweeps/{sweep}/figures.log",
    conda:
        "../../envs/llc.yaml"
    params:
        folder=subpath(output.page, parent=True),
        captions=CAPTIONS,
    shell:
        "python -m llc.figures {params.folder:q} {params.captions:q} > {log:q} 2>&1"
