"""Writes grafana-dashboard.json. A test keeps the two equal, and the names of the metrics right.

    python deploy/observability/dashboard.py

Rows go from what a person waits for to what it costs; each panel answers the question that is its title.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
WIDTH, HEIGHT = 8, 7
PANELS_IN_A_ROW = 24 // WIDTH


@dataclass(frozen=True)
class Panel:
    """A question, its answer in PromQL by legend, and the unit of the answer."""

    title: str
    queries: dict[str, str]
    unit: str = "short"
    kind: str = "timeseries"


def seconds(metric: str, quantile: float, by: str = "le") -> str:
    """A quantile of a histogram over five minutes."""
    return f"histogram_quantile({quantile}, sum by ({by}) (rate({metric}_bucket[5m])))"


def per_minute(metric: str, by: str) -> str:
    """How often in a minute, by a label."""
    return f"sum by ({by}) (rate({metric}[5m])) * 60"


ROWS: dict[str, list[Panel]] = {
    "Reviews": [
        Panel(
            "How many reviews end, and how? (per minute)",
            {"{{outcome}}": per_minute('principal_jobs_total{kind="review"}', "outcome")},
        ),
        Panel(
            "How long does a review take?",
            {"median": seconds("principal_job_seconds", 0.5), "95 %": seconds("principal_job_seconds", 0.95)},
            "s",
        ),
        Panel(
            "What came to nothing, and why? (per hour)",
            {"{{kind}} {{code}}": "sum by (kind, code) (increase(principal_failures_total[1h])) > 0"},
        ),
        Panel("How much waits?", {"{{queue}}": "max by (queue) (principal_queue_depth)"}),
        Panel(
            "For how long has the oldest waited?", {"{{queue}}": "max by (queue) (principal_queue_oldest_seconds)"}, "s"
        ),
        Panel(
            "What is found? (per hour)", {"{{category}}": "sum by (category) (increase(principal_findings_total[1h]))"}
        ),
    ],
    "Webhook": [
        Panel("What comes in? (per minute)", {"{{outcome}}": per_minute("principal_webhooks_total", "outcome")}),
        Panel(
            "How long does GitHub wait?",
            {"median": seconds("principal_webhook_seconds", 0.5), "99 %": seconds("principal_webhook_seconds", 0.99)},
            "s",
        ),
        Panel(
            "What do sweeps bring back? (per hour)", {"{{kind}}": "sum by (kind) (increase(principal_swept_total[1h]))"}
        ),
    ],
    "Models": [
        Panel(
            "How do calls end? (per minute)",
            {"{{model}} {{outcome}}": per_minute("principal_model_calls_total", "model, outcome")},
        ),
        Panel(
            "How long does an answer take?",
            {"{{model}} 95 %": seconds("principal_model_seconds", 0.95, "le, model")},
            "s",
        ),
        Panel("Which provider is paused?", {"{{provider}}": "max by (provider) (principal_model_breaker_open)"}),
    ],
    "Money": [
        Panel(
            "What does a day cost?",
            {"{{model}}": "sum by (model) (increase(principal_model_cost_usd_total[1d]))"},
            "currencyUSD",
        ),
        Panel(
            "How many tokens? (per minute)",
            {"{{model}} {{direction}}": per_minute("principal_model_tokens_total", "model, direction")},
        ),
        Panel(
            "How many calls does a budget refuse? (per hour)",
            {"refused": "sum(increase(principal_budget_refusals_total[1h]))"},
        ),
    ],
    "GitHub": [
        Panel("How do calls end? (per minute)", {"{{outcome}}": per_minute("principal_github_calls_total", "outcome")}),
        Panel(
            "How long does an answer take?",
            {"median": seconds("principal_github_seconds", 0.5), "95 %": seconds("principal_github_seconds", 0.95)},
            "s",
        ),
        Panel(
            "What do people ask for? (per hour)",
            {"/{{verb}} {{outcome}}": "sum by (verb, outcome) (increase(principal_commands_total[1h]))"},
        ),
    ],
    "Processes": [
        Panel("Which versions run?", {"{{version}}": "count by (version) (principal_build_info)"}, kind="stat"),
        Panel("How much memory?", {"{{instance}}": 'process_resident_memory_bytes{job="principal"}'}, "bytes"),
        Panel(
            "How much of a core?",
            {"{{instance}}": 'rate(process_cpu_seconds_total{job="principal"}[5m])'},
            "percentunit",
        ),
    ],
}


def dashboard() -> str:
    """The dashboard as Grafana imports it."""
    page = {
        "uid": "principal",
        "title": "Principal",
        "tags": ["principal"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "1m",
        "time": {"from": "now-24h", "to": "now"},
        "templating": {
            "list": [{"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus"}]
        },
        "panels": _panels(),
    }
    return json.dumps(page, indent=1) + "\n"


def _panels() -> list[dict[str, Any]]:
    panels: list[dict[str, Any]] = []
    top = 0
    for title, row in ROWS.items():
        panels.append(
            {"id": len(panels) + 1, "type": "row", "title": title, "gridPos": _place(top, 0, 24, 1), "panels": []}
        )
        top += 1
        for number, panel in enumerate(row):
            x, y = number % PANELS_IN_A_ROW * WIDTH, top + number // PANELS_IN_A_ROW * HEIGHT
            panels.append(_panel(panel, len(panels) + 1, _place(y, x, WIDTH, HEIGHT)))
        top += -(-len(row) // PANELS_IN_A_ROW) * HEIGHT
    return panels


def _panel(panel: Panel, number: int, place: dict[str, int]) -> dict[str, Any]:
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "gridPos": place,
        "datasource": {"type": "prometheus", "uid": "${source}"},
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + place), "expr": query, "legendFormat": legend}
            for place, (legend, query) in enumerate(panel.queries.items())
        ],
    }


def _place(y: int, x: int, width: int, height: int) -> dict[str, int]:
    return {"h": height, "w": width, "x": x, "y": y}


if __name__ == "__main__":
    (HERE / "grafana-dashboard.json").write_text(dashboard(), encoding="utf-8")
