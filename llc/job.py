"""One job, from its configuration to its run directory."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from jaxtyping import Float, Int

from llc import artifacts, code, locks
from llc.compiled import constants
from llc.compiled.programs import forget
from llc.config import ConfigError, Job, require
from llc.estimates import agreement
from llc.estimates.estimator import AtEnds, AtStar
from llc.estimates.metrics import Estimate
from llc.jobs import restrict
from llc.jobs.ids import run_id, target_id
from llc.loss.likelihood import batch, sufficient_rows
from llc.posterior import Posterior, inverse_temperature, tempered
from llc.targets import elsewhere, ends, known, losses, target
from llc.targets.data import Dataset
from llc.targets.polish import deficit
from llc.terminal import bar
from llc.user import own

if TYPE_CHECKING:
    from llc.samplers import Trace

log = logging.getLogger(__name__)

KEPT = 1_000_000_000  # bytes of data in float64, at most, that stay beside the posterior's; more are made again


class Timings(dict[str, float]):
    """Wall seconds by stage, for ``run_info.json``."""

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        """Add the time that the block takes to ``stage``."""
        start = time.perf_counter()
        yield
        self[stage] = self.get(stage, 0.0) + time.perf_counter() - start


def run(job: Job, folder: Path, import_s: float = 0.0) -> None:
    """Run ``job`` and write its files into ``folder``.

    An exception is logged into ``train.log`` and raised again: a failed job has no
    ``metrics_summary.csv`` and a non-zero exit code.
    """
    timings = Timings({"import": import_s})
    constants.by_precision()
    try:
        # Now, for it is now that the code is imported: what is edited later is not what makes the numbers.
        for stage in ("target", "run"):
            code.modules(stage, job.sampler.names)
        if job.stage == "run":
            with timings.measure("import"):  # seconds, which a target has no use for
                for name in ("sampling", *(f"samplers.{name}" for name in job.sampler.names)):
                    import_module(f"llc.{name}")
        with locks.alone(folder) as waited:
            if waited and artifacts.is_made(folder, job):
                log.info("another process has made it meanwhile")
                return
            if other := artifacts.taken_by(folder, job):
                raise ConfigError(f"hydra.run.dir={folder}: {other} is in it; give each its own, or delete it")
            forget()
            # A block and not a global switch: a multirun may mix precisions in one process.
            with jax.enable_x64(job.precision == "float64"):
                _run(job, folder, timings)
    except ConfigError as error:  # which says all, wherever it was found
        log.error("the job failed: %s", error)
        raise
    except SystemExit as end:
        log.exception("the job failed")
        raise RuntimeError(f"the job's own code has called sys.exit({end.code!r})") from end
    except Exception:
        log.exception("the job failed")
        raise


def _run(job: Job, folder: Path, timings: Timings) -> None:
    log.info("run %s, target %s, seed %d", run_id(job), target_id(job), job.seed)
    artifacts.begin(folder, job)
    made_with = code.modules("run", job.sampler.names)
    artifacts.write_config(folder, job)

    with timings.measure("data"):
        problem = target.problem(job)
    model = problem.model
    others, moving = {}, None
    # What is wrong with these is told before training, and does not fail a target that is shared.
    if job.stage == "run":
        others = elsewhere.load(job, problem)
        patterns = job.posterior.restrict
        moving = None if patterns is None else restrict.moving(patterns, model.layout)
    own.check_unchanged(job)
    with timings.measure("train"):
        trained = target.load(Path(job.target), job, problem) if job.target else target.make(job, problem)
    found = trained if job.target else trained.at(job.checkpoint)
    made_with |= found.code  # other code may have trained it
    log.info(
        "w*: %d parameters, L_n(w*) = %.6g, |grad| = %.3g, %s after %d + %d steps",
        model.n_params, found.loss, found.grad_norm, found.stopped, found.steps, found.polish_steps,
    )  # fmt: skip
    if job.target is None:
        target.save(trained, job, folder, core_s=sum(timings.values()) * job.threads)
    if job.stage == "target":
        return

    posterior = _posterior(job, problem, found.w_star, moving, others)
    losses_elsewhere = {
        name: target.full_loss(found.w_star, problem._replace(data=other))[0] for name, other in others.items()
    }
    for name, loss in losses_elsewhere.items():
        require(math.isfinite(loss), f"evaluate.{name}", loss, "data on which the loss at w* is finite")
    with timings.measure("diagnose"):
        nbeta = posterior.n * inverse_temperature(job.posterior, posterior.n)
        answers = known.answers(job, problem, found, nbeta)
        at_star = AtStar(
            loss_star=found.loss,
            grad_norm=found.grad_norm,
            llc_deficit=deficit(posterior, found.grad_norm),
            llc_true=answers.llc_true,
            llc_exact=answers.llc_exact,
            losses_elsewhere=losses_elsewhere,
        )
    kept = problem if problem.data.nbytes <= KEPT else None
    del problem, others  # sampling takes what it needs of them in the posterior

    def exact(w: Float[np.ndarray, "chains dim"]) -> AtEnds:
        of = kept or target.problem(job)
        return AtEnds(*ends.losses_at(job, of, found.w_star, ends.whole(found.w_star, moving, w)))

    alone, traces = _estimates(job, posterior, at_star, exact, timings)
    estimates = agreement.held_together(alone, traces, nbeta, job.posterior.gamma)
    for name, estimate in estimates.items():
        if estimate != alone[name]:
            log.info("%s: beside the others %s", name, _verdict(estimate))

    with timings.measure("write"):
        artifacts.write_traces(folder, traces)
    artifacts.write_results(
        folder,
        estimates,
        run_id=run_id(job),
        target_id=target_id(job),
        seed=job.seed,
        threads=job.threads,
        target={**target.about(found), "n_params": model.n_params, "widths": model.widths},
        n_moving=int(posterior.w_star.size),
        timings_s=timings,
        code=made_with,
    )


def _posterior(
    job: Job,
    problem: target.Problem,
    w_star: Float[np.ndarray, " dim"],
    moving: Int[np.ndarray, " moving"] | None,
    others: dict[str, Dataset],
) -> Posterior:
    """Return what is sampled around w*; of squares of a linear network few rows stand for more."""
    model, dataset, loss_fn = problem
    full = None
    quadratic = model.linear and losses.squares(job, dataset)
    if quadratic and len(dataset.x) > sum(dataset.x.shape[1:] + dataset.y.shape[1:]):
        full = batch(*sufficient_rows(dataset.x, dataset.y), dataset.sigma, job.precision)
    rows = batch(dataset.x, dataset.y, dataset.sigma, job.precision)
    return tempered(
        loss_fn, rows, w_star, job.posterior, job.precision,
        full=full,
        linear_widths=model.widths if quadratic else None,
        moving=moving,
        others={name: batch(other.x, other.y, other.sigma, job.precision) for name, other in others.items()},
    )  # fmt: skip


def _estimates(
    job: Job, posterior: Posterior, at_star: AtStar, exact: Callable[..., Any], timings: Timings
) -> tuple[dict[str, Estimate], dict[str, Trace]]:
    """Draw with each sampler of the job; return its estimate, not held against the others yet, and its trace."""
    from llc.sampling import sample  # seconds, which a target has no use for

    estimates: dict[str, Estimate] = {}
    traces: dict[str, Trace] = {}
    for name in sorted(job.sampler.names):
        settings, start = asdict(getattr(job.sampler, name)), time.perf_counter()
        with bar(name):
            found, trace = sample(name, settings, posterior, job.posterior, at_star, exact, seed=job.seed)
        spent = {"compile": trace.time_compile_s, "sample": trace.time_sample_s}
        spent["diagnose"] = time.perf_counter() - start - sum(spent.values())
        for stage, seconds in spent.items():
            timings[stage] = timings.get(stage, 0.0) + seconds
        estimates[name], traces[name] = found, trace
        log.info("%s: LLC %s ± %s, %s", name, found.llc_mean, found.llc_mcse, _verdict(found))
    return estimates, traces


def _verdict(found: Estimate) -> str:
    return f"{found.status}{': ' * bool(found.reason)}{found.reason}"
