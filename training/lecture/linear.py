"""Claim: without a non-linearity, the gradient over time is a power of the recurrent matrix."""

import math
from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from training.lecture.formatting import scientific, short
from training.lecture.plots import BLUE, GREEN, ORANGE, PURPLE, EndLabel, finished, label_ends, new_plot
from training.lecture.results import Check, Claim, Finding, Plot, Table
from training.lecture.settings import Settings
from training.network.cells import CELLS
from training.network.encoder import initialize

CLAIM = Claim(
    name="linear",
    title="The linear case",
    statement=(
        "With the identity in place of tanh, the gradient at step i with respect to the state at step j is exactly the "
        "gradient at i times the (i - j)th power of the recurrent matrix W. It shrinks exponentially if the largest "
        "eigenvalue of W is smaller than 1 in modulus, and grows exponentially if it is larger."
    ),
    source=(
        'Lecture "Vanishing Gradients and Fancy RNNs", vanishing gradient proof sketch; '
        "Pascanu, Mikolov and Bengio 2013, section 2.1"
    ),
)

TOLERANCE = 0.01  # the rate against the eigenvalue's modulus
EXACT = 1e-9  # autograd against the matrix power, relative, in double precision
RADII = (0.8, 0.95, 1.05, 1.2)
COLORS = (BLUE, GREEN, PURPLE, ORANGE)


@dataclass(frozen=True, slots=True)
class LinearSizes:
    """Sizes of the experiment."""

    units: int = 32
    steps: int = 1000
    settled: int = 200  # distance beyond which only the largest eigenvalue matters


QUICK = LinearSizes(steps=600)


@dataclass(frozen=True, slots=True)
class Decay:
    """One matrix: eigenvalue, gradient norm by distance, and the difference between autograd and the matrix power."""

    radius: float
    seed: int
    rate: float
    difference: float
    norms: list[float]


@dataclass(frozen=True, slots=True)
class Start:
    """The largest eigenvalue's modulus of one recurrent block of a fresh encoder."""

    cell: str
    gate: int
    seed: int
    radius: float


def investigate(settings: Settings, sizes: LinearSizes) -> Finding:
    """Run the linear recurrence at several spectral radii, and measure the encoder's own initial matrices."""
    decays = [measure_decay(radius, seed=seed, sizes=sizes) for radius in RADII for seed in settings.seeds]
    starts = [start for seed in settings.seeds for start in encoder_starts(sizes.units, seed=seed)]
    return Finding(
        claim=CLAIM,
        setting={
            "Recurrence": (
                f"h(t) = W h(t-1) + x(t), {sizes.units} units, {sizes.steps} steps, double precision; W has normal "
                f"random entries, scaled to a largest eigenvalue of {', '.join(map(str, RADII))} in modulus."
            ),
            "Gradient": "By automatic differentiation through all steps, of a random linear loss at the last one.",
            "Rate": (
                f"Per-step factor of the norm between the distances {sizes.settled} and {sizes.steps}; complex "
                "eigenvalues make it swing, and it settles over many steps."
            ),
            "Encoder": "The recurrent blocks of fresh lstm, gru and rnn layers, as our encoder initializes them.",
        },
        plots=[_draw(decays, sizes)],
        tables=[_table(decays)],
        numbers={
            "decays": [asdict(decay) for decay in decays],
            "encoder_starts": [asdict(start) for start in starts],
        },
        checks=judge(decays, starts),
        meaning=(
            "Over 100 steps a factor of 0.95 leaves 0.6% of a gradient, and 1.05 makes it 130 times as large: plain "
            "recurrence has no safe middle but 1. That is why the encoder starts its recurrent blocks orthogonal, with "
            "all eigenvalues of modulus 1. Training moves them away again, hence gates and clipping."
        ),
    )


def measure_decay(radius: float, *, seed: int, sizes: LinearSizes) -> Decay:
    """The gradient of a random linear loss through a linear recurrence, against the product of matrix powers."""
    generator = torch.Generator().manual_seed(seed)
    matrix = torch.randn(sizes.units, sizes.units, generator=generator, dtype=torch.float64)
    matrix *= radius / spectral_radius(matrix)
    direction = torch.randn(sizes.units, generator=generator, dtype=torch.float64)
    gradients = _gradients(matrix, direction, steps=sizes.steps, generator=generator)  # (distances, units)
    expected = direction @ torch.linalg.matrix_power(matrix, sizes.steps)
    norms = gradients.norm(dim=-1)
    span = sizes.steps - sizes.settled
    return Decay(
        radius=radius,
        seed=seed,
        rate=math.exp(math.log(norms[-1] / norms[sizes.settled]) / span),
        difference=float((gradients[-1] - expected).norm() / expected.norm()),
        norms=(norms / norms[0]).tolist(),
    )


def encoder_starts(units: int, *, seed: int) -> list[Start]:
    """Spectral radius of each gate's recurrent block in fresh layers of every cell."""
    torch.manual_seed(seed)
    layers = {name: cell.module(units, units) for name, cell in CELLS.items()}  # all made before any is initialized
    starts = []
    for name, layer in layers.items():
        initialize(layer, CELLS[name])
        blocks = layer.weight_hh_l0.detach().double().chunk(len(CELLS[name].gates))  # type: ignore[operator]
        starts += [Start(name, gate, seed, spectral_radius(block)) for gate, block in enumerate(blocks)]
    return starts


def spectral_radius(matrix: Tensor) -> float:
    """The largest modulus of an eigenvalue."""
    return float(torch.linalg.eigvals(matrix).abs().max())


def judge(decays: list[Decay], starts: list[Start]) -> list[Check]:
    """Apply the rules, which were fixed before the measurement."""
    furthest = max(decays, key=lambda decay: abs(decay.rate / decay.radius - 1))
    exact = max(decay.difference for decay in decays)
    off = max(abs(start.radius - 1) for start in starts)
    return [
        Check(
            rule=f"The gradient equals the product with the matrix power to {scientific(EXACT)} for every matrix.",
            measured=f"largest relative difference {short(exact)}",
            held=exact <= EXACT,
        ),
        Check(
            rule="The measured rate equals the largest eigenvalue's modulus to 1%, for every matrix.",
            measured=(
                f"furthest off: {furthest.rate:.5f} for {furthest.radius} ({furthest.rate / furthest.radius - 1:+.3%})"
            ),
            held=abs(furthest.rate / furthest.radius - 1) <= TOLERANCE,
        ),
        Check(
            rule="Every recurrent block of a fresh encoder has a largest eigenvalue of modulus 1, to 1%.",
            measured=f"furthest off by {short(off)} among {len(starts)} blocks",
            held=off <= TOLERANCE,
        ),
    ]


def _gradients(matrix: Tensor, direction: Tensor, *, steps: int, generator: torch.Generator) -> Tensor:
    state = torch.randn(len(direction), generator=generator, dtype=torch.float64).requires_grad_()
    states = [state]
    for _ in range(steps):
        state = matrix @ state + torch.randn(len(direction), generator=generator, dtype=torch.float64)
        states.append(state)
    return torch.stack(torch.autograd.grad(direction @ state, states[::-1]))


def _draw(decays: list[Decay], sizes: LinearSizes) -> Plot:
    figure, axes = new_plot(
        "Gradient of a linear recurrence", x="distance in steps", y="gradient norm, at distance 0 = 1"
    )
    axes.set_yscale("log")
    labels = []
    first = min(decay.seed for decay in decays)
    shown = sizes.settled
    for decay in decays:
        color = COLORS[RADII.index(decay.radius)]
        axes.plot(decay.norms[: shown + 1], color=color, linewidth=1.2, alpha=0.8)
        if decay.seed == first:
            axes.plot([0, shown], [1, decay.radius**shown], color=color, linewidth=1, linestyle=(0, (2, 2)))
            labels.append(EndLabel(shown, decay.norms[shown], f"|λ| = {decay.radius}", color))
    axes.set_xlim(0, shown)
    label_ends(axes, labels)
    caption = (
        "One line a random matrix; dotted, the power of its largest eigenvalue's modulus. Each runs parallel to its "
        "own."
    )
    return finished(figure, name="linear", caption=caption)


def _table(decays: list[Decay]) -> Table:
    rows = []
    for radius in RADII:
        rates = [decay.rate for decay in decays if decay.radius == radius]
        differences = [decay.difference for decay in decays if decay.radius == radius]
        rows.append([f"{radius}", ", ".join(f"{rate:.5f}" for rate in rates), short(max(differences))])
    return Table(
        caption="Rate per step, one figure a seed",
        header=["largest eigenvalue, modulus", "measured rate", "difference from the matrix power"],
        rows=rows,
    )
