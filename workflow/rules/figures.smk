"""The tables of a sweep become figures and a page."""

from llc.plots import TITLES


rule figures:
    """Draw a sweep for its own axes, and put all of it on one page."""
    input:
        "results/sweeps/{sweep}/summary.csv",
        input_of_figures,
    output:
        *[figures(kind, title.format("{figure}")) for kind, title in TITLES.items()],
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
