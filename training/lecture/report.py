"""The report: one page that opens offline, the numbers as JSON, and every plot as a file of its own."""

import json
import math
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from training.lecture.plots import color_style, standalone
from training.lecture.results import Finding
from training.lecture.settings import Settings

TEMPLATE = Path(__file__).with_name("report.html.jinja")


@dataclass(frozen=True, slots=True)
class DiagnosisReport:
    """The findings of a diagnosis, with its settings and command."""

    findings: Sequence[Finding]
    settings: Settings
    command: str
    wall_seconds: float

    @property
    def cpu_seconds(self) -> float:
        """CPU time of all experiments."""
        return sum(finding.cpu_seconds for finding in self.findings)


def write(report: DiagnosisReport, folder: Path) -> Path:
    """Write ``report.html``, ``report.json`` and ``plots/``; return the page."""
    plots = folder / "plots"
    plots.mkdir(parents=True, exist_ok=True)
    for finding in report.findings:
        for plot in finding.plots:
            (plots / f"{plot.name}.svg").write_text(standalone(plot), encoding="utf-8")
    numbers = json.dumps(as_json(report), indent=1, allow_nan=False, ensure_ascii=False)
    (folder / "report.json").write_text(numbers + "\n", encoding="utf-8")
    page = folder / "report.html"
    page.write_text(as_html(report), encoding="utf-8")
    return page


def as_html(report: DiagnosisReport) -> str:
    """The page, with style and plots included, so that it opens offline."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["drawing"] = Markup  # drawn by matplotlib, which escapes its labels
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    return template.render(
        report=report,
        made=_made(),
        plot_colors=Markup(color_style(":root")),  # noqa: S704 - our own constants
        held=sum(finding.verdict == "held" for finding in report.findings),
    )


def as_json(report: DiagnosisReport) -> dict[str, Any]:
    """Every number with its setting; a number that is not finite becomes null."""
    return {
        "made": _made(),
        "command": report.command,
        "settings": report.settings.to_json(),
        "cpu_seconds": round(report.cpu_seconds, 1),
        "wall_seconds": round(report.wall_seconds, 1),
        "claims": [
            {
                **asdict(finding.claim),
                "verdict": finding.verdict,
                "checks": [asdict(check) for check in finding.checks],
                "setting": finding.setting,
                "numbers": _finite(finding.numbers),
                "meaning": finding.meaning,
                "cpu_seconds": round(finding.cpu_seconds, 1),
            }
            for finding in report.findings
        ],
    }


def _made() -> dict[str, str]:
    return {
        "date": datetime.now(tz=UTC).date().isoformat(),
        "python": sys.version.split()[0],
        "torch": torch.__version__,
        "machine": platform.machine(),
    }


def _finite(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return value
