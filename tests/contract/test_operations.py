"""What operators are handed, dashboard, alerts and runbooks, speaks of metrics that are there, and each alert fires and rests."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import app.main  # noqa: F401 - every metric is registered by then
from app.telemetry import REGISTRY

ROOT = Path(__file__).parents[2]
HERE = ROOT / "deploy" / "observability"
ALERTS = yaml.safe_load((HERE / "alerts.yml").read_text())["groups"][0]["rules"]
BORROWED = {"process_resident_memory_bytes", "process_cpu_seconds_total"}
"""From the library that measures the process."""


def exported():
    """Every name under which a metric is asked for."""
    endings = {"counter": ["_total"], "histogram": ["_bucket", "_count", "_sum"], "gauge": [""]}
    ours = [one for one in REGISTRY.collect() if one.name.startswith("principal_")]
    return {one.name + ending for one in ours for ending in endings[one.type]} | BORROWED


def asked(query):
    return set(re.findall(r"\b(?:principal|process)_\w+", query))


def test_the_dashboard_is_the_one_that_its_program_writes_and_asks_for_metrics_that_are_there():
    spec = importlib.util.spec_from_file_location("dashboard", HERE / "dashboard.py")
    program = importlib.util.module_from_spec(spec)
    sys.modules["dashboard"] = program
    spec.loader.exec_module(program)
    text = (HERE / "grafana-dashboard.json").read_text()
    assert text == program.dashboard(), "run: python deploy/observability/dashboard.py"
    panels = json.loads(text)["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    wanted = set().union(*(asked(target["expr"]) for panel in panels for target in panel.get("targets", [])))
    assert len(wanted) > 15
    assert wanted <= exported()


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_an_alert_asks_for_metrics_that_are_there_and_has_a_runbook(alert):
    assert asked(alert["expr"]) <= exported()
    page, _, anchor = alert["annotations"]["runbook_url"].partition("#")
    assert anchor == alert["alert"].lower()
    assert f"\n## {alert['alert']}\n" in (ROOT / page).read_text()
    assert alert["labels"]["severity"] in ("page", "ticket")


def test_no_runbook_is_about_an_alert_that_is_gone():
    told = re.findall(r"^## (Principal\w+)$", (ROOT / "docs" / "runbooks.md").read_text(), re.MULTILINE)
    assert told == [alert["alert"] for alert in ALERTS]


def test_each_alert_fires_when_it_must_and_rests_when_it_may():
    cases = yaml.safe_load((HERE / "alerts.test.yml").read_text())["tests"]
    assert {case["name"] for case in cases} == {
        f"{one['alert']} {word}" for one in ALERTS for word in ("fires", "rests")
    }
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed: the alerts were not fired")
    done = subprocess.run(
        [promtool, "test", "rules", str(HERE / "alerts.test.yml")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_an_alert_waits_for_is_there_before_it_first_happens():
    # A counter that appears with its first event cannot be seen to rise.
    for name, labels in (
        ("principal_failures_total", {"kind": "review", "code": "OUTPUT_BLOCKED_SECRET"}),
        ("principal_webhooks_total", {"outcome": "refused_401"}),
        ("principal_webhooks_total", {"outcome": "refused_503"}),
        ("principal_sweeps_total", {"outcome": "failed"}),
        ("principal_sweeps_total", {"outcome": "done"}),
        ("principal_budget_refusals_total", {}),
    ):
        assert REGISTRY.get_sample_value(name, labels) is not None
