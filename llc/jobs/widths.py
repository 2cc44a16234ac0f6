"""Layer widths and parameter counts. Without JAX: planning a sweep needs them too."""

from bisect import bisect_left
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

from llc import seeds
from llc.config import CrossingModel, DlnModel, MlpModel, QuadraticModel

Layout = Sequence[tuple[str, tuple[int, ...]]]  # name and shape of each parameter, in the order of the vector


def count_params(widths: Sequence[int], bias: bool) -> int:
    """Return the number of parameters of a fully connected network.

    Parameters
    ----------
    widths
        All widths d_0 … d_L, input and output included.
    bias
        Whether each layer adds a bias.
    """
    return sum((d_in + bias) * d_out for d_in, d_out in pairwise(widths))


def layout(model: MlpModel | DlnModel | QuadraticModel | CrossingModel) -> list[tuple[str, tuple[int, ...]]]:
    """Return the name and shape of each parameter of a model, in the order of its flat vector."""
    if isinstance(model, QuadraticModel | CrossingModel):
        return [(f"w/{i}", ()) for i in range(model.d_in if isinstance(model, QuadraticModel) else 2)]
    if isinstance(model, DlnModel):
        assert model.widths is not None  # parsed: filled in
        return [(f"layers/{i}/kernel", shape) for i, shape in enumerate(pairwise(model.widths))]
    names: list[tuple[str, tuple[int, ...]]] = []
    for i, (d_in, d_out) in enumerate(pairwise([model.d_in, *hidden_widths(model), model.d_out])):
        names += [(f"layers/{i}/kernel", (d_in, d_out)), (f"layers/{i}/bias", (d_out,))]
    return names


def hidden_widths(model: MlpModel) -> list[int]:
    """Return the hidden widths of an MLP: those given, or equal ones solved for its target."""
    if model.widths is not None:
        return list(model.widths)
    assert model.target_params is not None  # parsed: one of the two is given
    return [solve_hidden_width(model.d_in, model.d_out, model.depth, model.target_params)] * model.depth


def draw_widths(model: DlnModel, seed: int) -> list[int]:
    """Return widths d_0 … d_L drawn uniformly, and their number too; upper ends are excluded."""
    assert model.layers is not None
    assert model.width is not None  # parsed: both are given where the widths are not
    rng = seeds.rng(seed, "widths")
    (least, most), (narrowest, widest) = model.layers, model.width
    n_widths = int(rng.integers(least, most)) + 1
    return [int(width) for width in rng.integers(narrowest, widest, size=n_widths)]


@lru_cache
def solve_hidden_width(d_in: int, d_out: int, depth: int, target_params: int) -> int:
    """Return the hidden width, at least 1, whose MLP is nearest to ``target_params`` parameters.

    The count grows with the width, so the nearest is the first width that reaches the target or the
    one before; of two equally near the smaller is taken.
    """

    def count(width: int) -> int:
        return count_params([d_in, *[width] * depth, d_out], bias=True)

    first = 1 + bisect_left(range(1, target_params), target_params, key=count)
    return min(range(max(first - 1, 1), first + 1), key=lambda width: abs(count(width) - target_params))
