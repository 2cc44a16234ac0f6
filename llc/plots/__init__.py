"""Figures of a sweep, made for its own axes from its tables and traces. Without JAX."""

# By kind, in the order of the page; each has a caption of its name in workflow/report/.
TITLES = {
    "along": "λ̂ against {}",
    "training": "over training: {}",
    "samplers": "samplers against {}",
    "known": "error against {}",
    "heat": "calibration: {}",
    "diagnostics": "diagnostics: {}",
    "traces": "traces: {}",
}
