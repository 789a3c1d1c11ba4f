"""The language of a text, and whether the model reads it. Needs the extra ``language``; off by default.

The detector is eldc, which is right more often than py3langid and many times as fast, see
``docs/explanation/serving.md``. It reads the beginning of a long text, so its time is bounded.
"""

from collections.abc import Sequence
from types import ModuleType
from typing import NamedTuple

from service.monitoring import metrics
from service.settings import PREFIX, Settings, SettingsError

UNDETERMINED = "und"
"""ISO 639's code for a language that is not known: the text is too short, or might be of several."""


SHORT = 30
"""Characters below which a language is told only where the detector is sure: a name or two would mislead it."""


class Language(NamedTuple):
    """A text's language by its ISO 639-1 code, and whether the model reads it; so it does if it is not known."""

    language: str
    supported: bool


class LanguageDetector:
    """Tells the language where the detector is sure of it. Safe to call from several threads at once.

    Args:
        languages: codes of those that the model reads.
        refuses: whether a text in another one gets an error instead of an answer.

    Raises:
        SettingsError: eldc is not installed, or does not know one of the languages.
    """

    def __init__(self, languages: Sequence[str], *, refuses: bool) -> None:
        detector = _imported()
        if unknown := [code for code in languages if code not in detector.LANGUAGES]:
            message = (
                f"{PREFIX}LANGUAGES={','.join(languages)}: {unknown[0]} is not one of {', '.join(detector.LANGUAGES)}"
            )
            raise SettingsError(message)
        detector.init()
        self.refuses = refuses
        self.languages = tuple(languages)
        self._detect = detector.detect_details

    def detect(self, text: str) -> Language:
        """The language of a text, which must be valid Unicode.

        It is told if the detector is sure, or if a text that is not short is near no language that the model reads.
        """
        detected = self._detect(text)
        may_be_read = len(text) < SHORT or any(code in detected.scores for code in self.languages)
        code: str = UNDETERMINED if may_be_read and not detected.reliable else detected.language
        return Language(code, code in self.languages or code == UNDETERMINED)

    def detect_and_count(self, text: str) -> Language:
        """The same, counted in the metrics."""
        language = self.detect(text)
        metrics.detected(language.language)
        return language


def language_detector(settings: Settings) -> LanguageDetector | None:
    """The detector, or None where languages are not detected, and eldc is not imported."""
    if settings.unsupported_language == "off":
        return None
    return LanguageDetector(settings.languages, refuses=settings.unsupported_language == "refuse")


def _imported() -> ModuleType:
    try:
        import eldc  # noqa: PLC0415 - optional
    except ImportError:
        message = (
            f"{PREFIX}UNSUPPORTED_LANGUAGE needs the package eldc; install the extra language: "
            "pip install 'sentiment-encoder[language]'"
        )
        raise SettingsError(message) from None
    module: ModuleType = eldc
    return module
