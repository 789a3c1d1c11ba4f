"""The model card: a bundle's README.md, written from its manifest alone."""

import re
from collections.abc import Iterator, Mapping, Sequence

from model_store import card_evidence
from model_store.card_tables import table
from model_store.manifest import Arithmetic, Machine, Manifest, Training

NON_COMMERCIAL = re.compile(r"non-?commercial|\bNC\b", re.IGNORECASE)
"""How licences that forbid commercial use are called, Creative Commons' among them: "CC BY-NC-SA 4.0"."""

ARITHMETIC: Mapping[Arithmetic, str] = {
    "float32": "32 bits",
    "int8": "recurrent layers in 8 bits, each text by itself",
}
"""In words."""


def model_card(manifest: Manifest) -> str:
    """The card as Markdown."""
    sections = (_heading, _use, _labels, *card_evidence.SECTIONS, _training)
    return "\n".join(line for section in sections for line in section(manifest)) + "\n"


def _heading(manifest: Manifest) -> Iterator[str]:
    shape = manifest.architecture
    yield f"# {manifest.name} {manifest.version}"
    yield ""
    yield manifest.description
    yield ""
    direction = "bidirectional" if shape.bidirectional else "forward"
    yield from table(
        ("", ""),
        [
            ("encoder", f"{shape.layers} x {shape.hidden_size}, {direction} {shape.cell}"),
            ("connection", shape.connection),
            ("pooling", " + ".join(shape.pooling)),
            ("parameters", f"{shape.parameters:,}"),
            ("arithmetic", ARITHMETIC[manifest.arithmetic]),
            ("tokens", f"{manifest.tokenizer.kind}, vocabulary of {manifest.tokenizer.vocabulary_size:,}"),
            ("longest text", f"{manifest.limits.max_tokens:,} tokens"),
            ("created", f"{manifest.created:%Y-%m-%d}"),
        ],
    )


def _use(manifest: Manifest) -> Iterator[str]:
    for title, uses in (("Intended use", manifest.intended_use), ("Not intended for", manifest.not_intended_for)):
        if uses:
            yield ""
            yield f"## {title}"
            yield ""
            yield from (f"- {use}" for use in uses)


def _labels(manifest: Manifest) -> Iterator[str]:
    calibration = manifest.calibration
    yield ""
    yield "## Labels and calibration"
    yield ""
    rows = [
        (label.name, "-" if label.polarity is None else str(label.polarity), f"{label.bias:.4f}")
        for label in manifest.labels
    ]
    yield from table(("label", "polarity", "bias"), rows)
    yield ""
    if calibration.data is None:
        yield "Scores are not calibrated (temperature 1)."
    else:
        yield (
            f"Scores are calibrated with temperature {calibration.temperature:.3f}, "
            f"fitted on {calibration.rows:,} texts of `{calibration.data}`."
        )
    if calibration.target_accuracy is not None:
        yield ""
        yield _confidence(calibration.threshold, target=calibration.target_accuracy)


def _confidence(threshold: float | None, *, target: float) -> str:
    """What ``confident`` means for this bundle."""
    goal = f"{100 * target:g}%"
    if threshold is None:
        return f"No answer is confident: on those texts not even the surest answers were right in {goal} of cases."
    if threshold == 0:
        return f"Every answer is confident: on those texts all answers together were right in {goal} of cases."
    return (
        f"An answer is confident where its score is at least {threshold:.4f}: on those texts the smallest with which "
        f"confident answers were right in {goal} of cases."
    )


def _training(manifest: Manifest) -> Iterator[str]:
    yield ""
    yield "## Training"
    yield ""
    runs = list(manifest.training.runs())
    yield from _run(runs[0])
    for number, run in enumerate(runs[1:], start=1):
        yield f"{'It' if number == 1 else 'That one'} began with the weights of an earlier run:"
        yield ""
        yield from _run(run)
    sources = list(dict.fromkeys(source for run in runs for source in run.sources))
    yield from (f"- {source}" for source in sources)
    if sources:
        yield ""
    yield _commercial_use(sources, whole=all(run.sources for run in runs))
    yield ""
    yield "Libraries: " + ", ".join(f"{name} {number}" for name, number in manifest.libraries.items()) + "."


def _run(training: Training) -> Iterator[str]:
    if training.command:
        yield f"{passes(training)}, seed {training.seed}, with this command:"
        yield ""
        yield f"    {training.command}"
        yield ""
    if training.seconds is not None:
        yield f"It took {duration(training.seconds)}{_on(training.machine)} until these weights were written."
        yield ""
    if training.files:
        rows = [(file.name, f"{file.rows:,}", f"`{file.sha256}`") for file in training.files]
        yield from table(("file", "texts", "SHA-256"), rows)
        yield ""


def passes(training: Training) -> str:
    """How often the run saw its training data."""
    return "1 epoch" if training.epochs == 1 else f"{training.epochs} epochs"


def duration(seconds: float) -> str:
    """Hours, minutes and seconds, without the larger ones that are 0."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [f"{hours:,} h"] * (hours > 0) + [f"{minutes} min"] * (hours > 0 or minutes > 0) + [f"{rest} s"]
    return " ".join(parts)


def _on(machine: Machine | None) -> str:
    if machine is None:
        return ""
    cores = "one core" if machine.cores == 1 else f"{machine.cores} cores"
    if machine.accelerator is None:
        return f" on {cores} of {machine.processor}"
    devices = machine.accelerator if machine.devices == 1 else f"{machine.devices} x {machine.accelerator}"
    return f" on {devices}, with {cores} of {machine.processor}"


def _commercial_use(sources: Sequence[str], *, whole: bool) -> str:
    """What the sources, as the trainer gave them for every run or not, say of licences that forbid commercial use."""
    forbidding = [source for source in sources if NON_COMMERCIAL.search(source)]
    if forbidding:
        return "These sources forbid commercial use: " + "; ".join(forbidding) + "."
    if not sources:
        return "Where its data comes from, and under which licence, was not given."
    if not whole:
        return "Where the data of one of these runs comes from, and under which licence, was not given."
    return "No training on non-commercial data: no source named above is under a licence that forbids commercial use."
