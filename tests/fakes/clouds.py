"""The same models behind the doors of three clouds: their paths, their ways to prove who asks, their places for the model's name.

What is refused, counted and said is the model server's own; only the envelope differs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import unquote

from tests.fakes.models import Cut, FakeModels, Hang, Sent

Cloud = Literal["azure", "bedrock", "vertex"]
AZURE = re.compile(r"/openai/deployments/(?P<model>[^/]+)/chat/completions\?api-version=[\d-]+(?:-preview)?")
BEDROCK = re.compile(r"/model/(?P<model>[^/]+)/invoke")
VERTEX = re.compile(
    r"/projects/(?P<project>[^/]+)/locations/(?P<region>[^/]+)/publishers/anthropic/models/(?P<model>[^/]+):rawPredict"
)
PATHS: Mapping[Cloud, re.Pattern[str]] = {"azure": AZURE, "bedrock": BEDROCK, "vertex": VERTEX}


class FakeCloud(FakeModels):
    """One cloud's server."""

    def __init__(self, cloud: Cloud) -> None:
        super().__init__()
        self.cloud = cloud
        self.paths: list[str] = []

    def settings(self) -> dict[str, str]:
        """What sends calls here."""
        key = self.key or ""
        match self.cloud:
            case "azure":
                return {"AZURE_OPENAI_ENDPOINT": self.url, "AZURE_OPENAI_API_KEY": key}
            case "bedrock":
                return {
                    "AWS_REGION": "eu-central-1",
                    "AWS_BEARER_TOKEN_BEDROCK": key,
                    "ANTHROPIC_BEDROCK_BASE_URL": self.url,
                }
            case "vertex":
                return {
                    "ANTHROPIC_VERTEX_PROJECT_ID": "shop",
                    "ANTHROPIC_VERTEX_BASE_URL": self.url,
                    "ANTHROPIC_VERTEX_TOKEN": key,
                }

    def routed(self, path: str) -> str:
        """The whole path: Azure wants the version of its API in the query."""
        return path

    def respond(self, path: str, headers: Mapping[str, str], raw: bytes) -> Sent | Cut | Hang:
        """The answer to one POST: the request unwrapped, then answered like any other."""
        self.paths.append(path)
        found = PATHS[self.cloud].fullmatch(path)
        if found is None:
            return Sent(404, json.dumps({"error": {"message": f"no such path: {path}"}}).encode())
        body: dict[str, Any] = json.loads(raw)
        told = {name.lower(): value for name, value in headers.items()}
        if self.cloud == "azure":
            told["authorization"] = f"Bearer {told.get('api-key', '')}"
            return super().respond("/v1/chat/completions", told, raw)
        if "model" in body or not body.pop("anthropic_version", ""):
            return Sent(400, json.dumps({"message": "the body names a model, or no version of the API"}).encode())
        body["model"] = unquote(found["model"])
        told.setdefault("anthropic-version", "2023-06-01")
        return super().respond("/v1/messages", told, json.dumps(body).encode())
