"""Measures an adapted model beside the one it began with and two baselines."""

import json
import shlex
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer

from model_store.bundle import Bundle
from model_store.progress import working
from training.adaptation import report as reports
from training.adaptation.baselines import linear_scores, majority_scores
from training.adaptation.label_errors import Suspicion, likely_label_errors
from training.adaptation.options import AdaptOptions
from training.adaptation.parts import Parts
from training.adaptation.plan import Plan
from training.adaptation.report import AdaptationReport, Answers, System
from training.data import tokenization
from training.data.examples import Example
from training.data.tokenized import TokenizedExamples
from training.evaluation.label_sets import true_labels
from training.evaluation.label_thresholds import DEFAULT_THRESHOLD, choose_thresholds
from training.evaluation.metrics import Outcomes, by_label, confusion, with_intervals
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
    true = true_labels(examples, labels)
    adapted = reports.outcomes_of(*answers_of(options.to, labels, texts), true=true)
    before, note = _before(options.from_, labels, texts, several=options.reading.multi_label)
    linear = _linear(parts, texts, balanced=options.weights == "balanced")
    systems = [
        System(
            "majority",
            with_intervals(reports.outcomes_of(*_majority(parts, texts), true=true)),
            "the labels of at least half of the texts" if options.reading.multi_label else "",
        ),
        System(
            "TF-IDF + logistic regression",
            with_intervals(reports.outcomes_of(*linear, true=true)),
            "words and word pairs of the same training texts"
            + (", with thresholds chosen like ours" if options.reading.multi_label else ""),
        ),
        System(
            f"{options.from_}, before",
            None if before is None else with_intervals(reports.outcomes_of(*before, true=true)),
            note,
        ),
        System(f"{options.to.name}, after", after := with_intervals(adapted)),
    ]
    return AdaptationReport(
        source=options.from_,
        bundle=options.to.name,
        rows={part: len(getattr(parts, part)) for part in ("train", "validation", "test")},
        labels=labels,
        counts=dict(parts.counts),
        measured_on=measured_on,
        metrics={name: metric.title for name, metric in adapted.table.items() if name in after},
        systems=systems,
        by_label=by_label(adapted, labels),
        confusion=confusion(adapted).tolist() if isinstance(adapted, Outcomes) else [],
        mistakes=reports.confident_mistakes(adapted, examples, labels=labels),
        suspicions=_suspicions(source, parts.train, labels),
        notes=[*notes, *_notes(plan, several=options.reading.multi_label)],
        commands={
            "Serve it": f"SENTIMENT_MODEL={shlex.quote(str(options.to))} make serve",
            "Ask it": f"python -m model_store predict {shlex.quote(str(options.to))} {_to_ask(texts)}",
        },
        seconds=json.loads((options.folder / "fit" / METRICS).read_text(encoding="utf-8")).get("seconds"),
    )


def _majority(parts: Parts, texts: Sequence[str]) -> Answers:
    thresholds = np.full(len(parts.labels), DEFAULT_THRESHOLD)
    return Answers(majority_scores(parts.train, texts, labels=parts.labels), thresholds)


def _linear(parts: Parts, texts: Sequence[str], *, balanced: bool) -> Answers:
    """The linear baseline's scores; thresholds of any number of labels come from the validation texts."""
    held_out = [example.text for example in parts.validation]
    with working("Fitting TF-IDF + logistic regression"):
        scores = linear_scores(parts.train, [*held_out, *texts], labels=parts.labels, balanced=balanced)
    true = true_labels(parts.validation, parts.labels)
    thresholds = choose_thresholds(scores[: len(held_out)], true.astype(np.bool_)) if true.ndim > 1 else None
    return Answers(scores[len(held_out) :], thresholds)


def _notes(plan: Plan, *, several: bool) -> list[str]:
    notes = []
    if not plan.chooses:
        notes.append("There are too few validation texts to choose an epoch, so the last one was kept.")
    if not plan.calibrates:
        without = "every label's threshold is 0.5" if several else "none is confident"
        notes.append(f"There are too few validation texts to calibrate scores, so they are not, and {without}.")
    return notes


def _to_ask(texts: Sequence[str]) -> str:
    """A text of some words, quoted for a shell: without line breaks and, if there is one, without quotes inside."""
    quoted = [shlex.quote(" ".join(text.split())) for text in texts]
    plain = [text for text in quoted if "'" not in text.strip("'")]
    return min(plain or quoted, key=lambda text: abs(len(text) - ASKED))


def _before(start: str, labels: list[str], texts: Sequence[str], *, several: bool) -> tuple[Answers | None, str]:
    """The source's scores for these labels, and what to say of them."""
    scorer = load_scorer(start)
    known = scorer.labels
    if several != (scorer.thresholds is not None):
        return None, f"it gives a text {'one label' if several else 'any number of labels'}"
    if not set(labels) <= set(known):
        return None, f"it does not know these labels, only {', '.join(known)}"
    note = "" if set(labels) == set(known) else "choosing among these labels only"
    return answers_of(start, labels, texts), note


def answers_of(model: str | Path, labels: list[str], texts: Sequence[str]) -> Answers:
    """A bundle's scores for some of its labels; those of one label a text are normalized to sum to 1."""
    scorer = load_scorer(str(model))
    columns = [scorer.labels.index(label) for label in labels]
    scores = scorer.score(texts)[:, columns]
    if scorer.thresholds is not None:
        return Answers(scores, scorer.thresholds[columns])
    return Answers(scores / scores.sum(axis=1, keepdims=True), None)


def _suspicions(source: Bundle, examples: Sequence[Example], labels: list[str]) -> list[Suspicion]:
    """Training texts whose label is probably wrong, judged by the source's encoder."""
    several = any(example.labels is not None for example in examples)
    earlier = read_back(source)
    shape = {**network_options(earlier.task), "freeze_embedding": earlier.task.hparams["freeze_embedding"]}
    task = SentimentTask(labels, earlier.task.tokenizer_json, multi_label=several, **shape).eval()
    start_from(task, earlier, name=str(source.path), new_head=True)
    pipeline = Tokenizer.from_str(task.tokenizer_json)
    ids = list(tokenization.encode_all(pipeline, (example.text for example in examples), max_tokens=512))
    kept = [row for row, tokens in enumerate(ids) if tokens]
    known = [examples[row] for row in kept]
    encoded = TokenizedExamples.of([ids[row] for row in kept], torch.from_numpy(true_labels(known, labels)))
    return likely_label_errors(task, known, encoded)
