"""How the sandbox says no: a status, GitHub's own words, and headers where GitHub sends some."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

NOT_BY_INTEGRATION = "Resource not accessible by integration"
NOT_BY_TOKEN = "Resource not accessible by personal access token"  # noqa: S105 - a message, not a secret.
SUSPENDED = "This installation has been suspended"


class Refused(Exception):
    """A request that GitHub would not serve."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        errors: Sequence[Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.errors = errors
        self.headers = dict(headers or {})

    def body(self, documentation_url: str) -> dict[str, Any]:
        """The JSON of the answer."""
        shape: dict[str, Any] = {"message": self.message}
        if self.errors is not None:
            shape["errors"] = list(self.errors)
        return {**shape, "documentation_url": documentation_url, "status": str(self.status)}


def not_found() -> Refused:
    """Nothing there, or nothing that the caller may know of."""
    return Refused(404, "Not Found")


def unprocessable(*reasons: str) -> Refused:
    """The form of newer endpoints: plain sentences."""
    return Refused(422, "Unprocessable Entity", errors=reasons)


def validation(resource: str, field: str, code: str, message: str | None = None) -> Refused:
    """The form of older endpoints: which field of which resource."""
    error = {"resource": resource, "code": code, "field": field}
    if message is not None:
        error["message"] = message
    return Refused(422, "Validation Failed", errors=[error])


def invalid_request(reason: str) -> Refused:
    """The form of the checks endpoints."""
    return Refused(422, f"Invalid request.\n\n{reason}")


def forbidden(message: str, *accepted: str) -> Refused:
    """No permission; `accepted` are the permissions that would do, as `issues=write`."""
    headers = {"X-Accepted-GitHub-Permissions": "; ".join(accepted)} if accepted else {}
    return Refused(403, message, headers=headers)
