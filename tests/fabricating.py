"""Finished runs that were not run: the files are written by the code that writes a real run's."""

from collections.abc import Mapping
from pathlib import Path

from llc import artifacts, code
from llc.estimator import Estimate


def write_run(folder: Path, run_id: str, llc_mean: Mapping[str, float | None], config: str = "seed: 0\n") -> None:
    """Write what a finished run with these samplers and estimates leaves. None: it diverged."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(config)
    (folder / "traces.nc").write_bytes(b"\x89HDF")
    artifacts.write_results(
        folder,
        {name: _estimate(value) for name, value in llc_mean.items()},
        run_id=run_id,
        threads=1,
        target={"n_params": 51, "grad_norm": 1e-5, "stopped": "grad_tol"},
        timings_s={"train": 1.0, "sample": 4.0},
        code=code.modules("run", llc_mean),
    )


def _estimate(llc_mean: float | None) -> Estimate:
    ok = llc_mean is not None
    return Estimate(
        llc_mean=llc_mean,
        llc_std=1.0 if ok else None,
        llc_mcse=0.1 if ok else None,
        llc_ci_low=llc_mean,
        llc_ci_high=llc_mean,
        ess=500.0 if ok else None,
        ess_tail=500.0 if ok else None,
        rhat=1.001 if ok else None,
        accept_rate=None,
        n_divergent=0,
        n_chains=4,
        n_draws=500,
        n_grad_evals=1e4,
        time_compile_s=1.0,
        time_sample_s=3.0,
        loss_star=0.5,
        beta=0.2,
        gamma=1.0,
        llc_true=None,
        llc_exact=None,
        n_dropped=0,
        drift=0.5 if ok else None,
        llc_bias=None,
        below=0.0 if ok else None,
        reach=0.5 if ok else None,
        status="ok" if ok else "diverged",
        reason="" if ok else "a chain left the finite numbers",
    )
