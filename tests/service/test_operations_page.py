"""docs/reference/operations.md and the dashboard name every setting and metric, and no other."""

import json
import re

from prometheus_client import REGISTRY

import service.monitoring.metrics  # noqa: F401 - registers them
from service.settings import Settings
from tests.support.paths import ROOT

PAGE = (ROOT / "docs" / "reference" / "operations.md").read_text()
DASHBOARD = (ROOT / "deploy" / "grafana" / "sentiment.json").read_text()
RULES = (ROOT / "deploy" / "prometheus-rules.yml").read_text()
METRIC = re.compile(r"\bsentiment_[a-z0-9_]+")


def served_metrics():
    """Every metric's name as Prometheus asks for it."""
    families = {family.name: family.type for family in REGISTRY.collect() if family.name.startswith("sentiment_")}
    return {name + ("_total" if kind == "counter" else "") for name, kind in families.items()}


def table(start):
    """The cells of the table whose head starts with this."""
    rows = PAGE.partition(f"\n| {start} |")[2].partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def _shown(default):
    if default in ((), None):
        return "none"
    return ",".join(default) if isinstance(default, tuple) else str(default)


def test_the_table_of_settings_is_complete_and_its_defaults_are_true():
    rows = {cells[0].strip("`"): cells[1].strip("`") for cells in table("variable")}
    expected = {}
    for name, field in Settings.model_fields.items():
        default = "processors / workers" if name == "threads" else field.get_default()
        expected[f"SENTIMENT_{name.upper()}"] = _shown(default)
    assert rows == expected


def test_the_table_of_metrics_is_complete():
    assert {cells[0].strip("`") for cells in table("metric")} == served_metrics()


def test_the_alerts_ask_for_nothing_else():
    expressions = re.sub(r"^ *(?:summary|description):.*$", "", RULES, flags=re.MULTILINE)
    asked = {name.removesuffix("_bucket").removesuffix("_count") for name in METRIC.findall(expressions)}
    elsewhere = {"sentiment_worker_deaths_total", "sentiment_open_connections"}  # of the supervisor and of connections
    assert asked - elsewhere <= served_metrics()


def test_the_dashboard_draws_every_metric_and_no_other():
    expressions = [target["expr"] for panel in json.loads(DASHBOARD)["panels"] for target in panel["targets"]]
    drawn = {name.removesuffix("_bucket") for expression in expressions for name in METRIC.findall(expression)}
    assert drawn == served_metrics()
