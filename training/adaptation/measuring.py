"""Measures an adapted model beside the one it began with and two baselines."""

import json
import shlex
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tokenizers import Tokenizer

from model_store.bundle import Bundle
from model_store.progress import working
from training.adaptation import report as reports
from training.adaptation.baselines import linear_scores, majority_scores
from training.adaptation.label_errors import Suspicion, likely_label_errors
from training.adaptation.options import AdaptOptions
from training.adaptation.parts import Parts
from training.adaptation.plan import Plan
from training.adaptation.report import AdaptationReport, System
from training.data import tokenization
from training.data.examples import Example
from training.data.tokenized import TokenizedExamples
from training.evaluation import metrics
from training.evaluation.metrics import Scores
from training.evaluation.scorer import load_scorer
from training.export.read_back import network_options, read_back
from training.fit.run_files import METRICS
from training.fit.task import SentimentTask
from training.fit.warm_start import start_from

ASKED = 60
"""Characters of the text in the command that asks the model, about."""


def measure(
    options: AdaptOptions, plan: Plan, source: Bundle, parts: Parts, *, notes: Sequence[str]
) -> AdaptationReport:
    """Measure everything on the test texts, or on the validation texts if there are none."""
    measured_on = "test" if parts.test else "validation"
    examples = parts.test or parts.validation
    texts, labels = [example.text for example in examples], parts.labels
    true = [labels.index(example.label) for example in examples]
    adapted = ordered_scores(options.to, labels, texts)
    balanced = options.class_weights == "balanced"
    before, note = _before(options.from_, labels, texts)
    systems = [
        System("majority", reports.figures(majority_scores(parts.train, texts, labels=labels), true)),
        System(
            "TF-IDF + logistic regression",
            reports.figures(_linear(parts, texts, balanced=balanced), true),
            "words and word pairs of the same training texts",
        ),
        System(f"{options.from_}, before", None if before is None else reports.figures(before, true), note),
        System(f"{options.to.name}, after", reports.figures(adapted, true)),
    ]
    outcomes = reports.outcomes_of(adapted, true)
    return AdaptationReport(
        source=options.from_,
        bundle=options.to.name,
        rows={part: len(getattr(parts, part)) for part in ("train", "validation", "test")},
        labels=labels,
        counts=dict(Counter(example.label for example in parts.train)),
        measured_on=measured_on,
        systems=systems,
        by_label=metrics.by_label(outcomes, labels),
        confusion=metrics.confusion(outcomes).tolist(),
        mistakes=reports.confident_mistakes(adapted, examples, labels=labels),
        suspicions=_suspicions(source, parts.train, labels),
        notes=[*notes, *_notes(plan)],
        commands={
            "Serve it": f"SENTIMENT_MODEL={shlex.quote(str(options.to))} make serve",
            "Ask it": f"python -m model_store predict {shlex.quote(str(options.to))} {_to_ask(texts)}",
        },
        seconds=json.loads((options.folder / "fit" / METRICS).read_text(encoding="utf-8")).get("seconds"),
    )


def _linear(parts: Parts, texts: Sequence[str], *, balanced: bool) -> Scores:
    with working("Fitting TF-IDF + logistic regression"):
        return linear_scores(parts.train, texts, labels=parts.labels, balanced=balanced)


def _notes(plan: Plan) -> list[str]:
    notes = []
    if not plan.chooses:
        notes.append("There are too few validation texts to choose an epoch, so the last one was kept.")
    if not plan.calibrates:
        notes.append("There are too few validation texts to calibrate scores, so they are not, and none is confident.")
    return notes


def _to_ask(texts: Sequence[str]) -> str:
    """A text of some words, quoted for a shell: without line breaks and, if there is one, without quotes inside."""
    quoted = [shlex.quote(" ".join(text.split())) for text in texts]
    plain = [text for text in quoted if "'" not in text.strip("'")]
    return min(plain or quoted, key=lambda text: abs(len(text) - ASKED))


def _before(start: str, labels: list[str], texts: Sequence[str]) -> tuple[Scores | None, str]:
    """The source's scores for these labels, and what to say of them."""
    known = load_scorer(start).labels
    if not set(labels) <= set(known):
        return None, f"it does not know these labels, only {', '.join(known)}"
    note = "" if set(labels) == set(known) else "choosing among these labels only"
    return ordered_scores(start, labels, texts), note


def ordered_scores(model: str | Path, labels: list[str], texts: Sequence[str]) -> Scores:
    """(texts, labels): a bundle's scores for some of its labels, normalized to sum to 1."""
    scorer = load_scorer(str(model))
    scores = scorer.score(texts)[:, [scorer.labels.index(label) for label in labels]]
    chosen: Scores = scores / scores.sum(axis=1, keepdims=True)
    return chosen


def _suspicions(source: Bundle, examples: Sequence[Example], labels: list[str]) -> list[Suspicion]:
    """Training texts whose label is probably wrong, judged by the source's encoder."""
    earlier = read_back(source)
    shape = {**network_options(earlier.task), "freeze_embedding": earlier.task.hparams["freeze_embedding"]}
    task = SentimentTask(labels, earlier.task.tokenizer_json, **shape).eval()
    start_from(task, earlier, name=str(source.path), new_head=True)
    pipeline = Tokenizer.from_str(task.tokenizer_json)
    ids = list(tokenization.encode_all(pipeline, (example.text for example in examples), max_tokens=512))
    kept = [row for row, tokens in enumerate(ids) if tokens]
    encoded = TokenizedExamples.of([ids[row] for row in kept], [labels.index(examples[row].label) for row in kept])
    return likely_label_errors(task, [examples[row] for row in kept], encoded)
