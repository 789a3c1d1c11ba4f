"""The model card: a bundle's README.md, written from its manifest alone."""

from collections.abc import Iterator

from model_store.manifest import Manifest


def model_card(manifest: Manifest) -> str:
    """The card as Markdown."""
    return "\n".join([*_heading(manifest), *_labels(manifest), *_metrics(manifest), *_training(manifest)]) + "\n"


def _heading(manifest: Manifest) -> Iterator[str]:
    shape = manifest.architecture
    yield f"# {manifest.name} {manifest.version}"
    yield ""
    yield manifest.description
    yield ""
    yield "| | |"
    yield "|---|---|"
    direction = "bidirectional" if shape.bidirectional else "forward"
    yield f"| encoder | {shape.layers} x {shape.hidden_size}, {direction} {shape.cell} |"
    yield f"| connection | {shape.connection} |"
    yield f"| pooling | {' + '.join(shape.pooling)} |"
    yield f"| parameters | {shape.parameters:,} |"
    yield f"| tokens | {manifest.tokenizer.kind}, vocabulary of {manifest.tokenizer.vocabulary_size:,} |"
    yield f"| longest text | {manifest.limits.max_tokens:,} tokens |"
    yield f"| created | {manifest.created:%Y-%m-%d} |"


def _labels(manifest: Manifest) -> Iterator[str]:
    calibration = manifest.calibration
    yield ""
    yield "## Labels"
    yield ""
    yield "| label | polarity | bias |"
    yield "|---|---|---|"
    for label in manifest.labels:
        yield f"| {label.name} | {'-' if label.polarity is None else label.polarity} | {label.bias:.4f} |"
    yield ""
    if calibration.data is None:
        yield "Scores are not calibrated (temperature 1)."
    else:
        yield (
            f"Scores are calibrated with temperature {calibration.temperature:.3f}, "
            f"fitted on {calibration.rows:,} texts of `{calibration.data}`."
        )


def _metrics(manifest: Manifest) -> Iterator[str]:
    yield ""
    yield "## Measured"
    yield ""
    if not manifest.metrics:
        yield "Nothing was measured."
        return
    yield "One training run. Each figure was measured on this bundle's own answers."
    yield ""
    yield "| data | texts | metric | value |"
    yield "|---|---|---|---|"
    for metric in manifest.metrics:
        yield f"| {metric.data} | {metric.rows:,} | {metric.metric.replace('_', ' ')} | {100 * metric.value:.2f}% |"
    yield ""
    yield (
        "Polar accuracy leaves out texts whose label is neutral and compares the positive labels' scores with the "
        "negative ones'. Calibration error is the expected one over 15 bins."
    )


def _training(manifest: Manifest) -> Iterator[str]:
    training = manifest.training
    yield ""
    yield "## Training"
    yield ""
    if training.command:
        yield f"{training.epochs} epochs, seed {training.seed}, with this command:"
        yield ""
        yield f"    {training.command}"
        yield ""
    if training.files:
        yield "| file | texts | SHA-256 |"
        yield "|---|---|---|"
        for file in training.files:
            yield f"| {file.name} | {file.rows:,} | `{file.sha256}` |"
        yield ""
    for source in training.sources:
        yield f"- {source}"
    if training.sources:
        yield ""
    yield "Libraries: " + ", ".join(f"{name} {number}" for name, number in manifest.libraries.items()) + "."
