"""What can go wrong, in three kinds chosen by what happens next.

PrincipalError
├── Transient   tried again, by the one retry policy; carries how long the other side asked us to wait
├── Permanent   ends the job; the check run says what, why and what to do
└── UserError   told to the person who can fix it: a command, a policy, a command line, a setting

Every error carries a `Code`, the word that the log, the metric, the check run and the documentation share.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Code(StrEnum):
    """The stable names of failures. `docs/errors.md` is generated from this list and `MEANINGS`."""

    GITHUB_UNAVAILABLE = "GITHUB_UNAVAILABLE"
    GITHUB_RATE_LIMITED = "GITHUB_RATE_LIMITED"
    GITHUB_UNAUTHORIZED = "GITHUB_UNAUTHORIZED"
    GITHUB_FORBIDDEN = "GITHUB_FORBIDDEN"
    GITHUB_GONE = "GITHUB_GONE"
    GITHUB_REFUSED = "GITHUB_REFUSED"
    GITHUB_REDIRECT_BLOCKED = "GITHUB_REDIRECT_BLOCKED"
    GITHUB_ANSWER_UNKNOWN = "GITHUB_ANSWER_UNKNOWN"
    GIT_FAILED = "GIT_FAILED"
    GIT_TIMEOUT = "GIT_TIMEOUT"
    MODEL_BUSY = "MODEL_BUSY"
    MODEL_UNAVAILABLE = "MODEL_UNAVAILABLE"
    MODEL_TIMEOUT = "MODEL_TIMEOUT"
    MODEL_CREDIT = "MODEL_CREDIT"
    MODEL_UNAUTHORIZED = "MODEL_UNAUTHORIZED"
    MODEL_UNKNOWN = "MODEL_UNKNOWN"
    MODEL_REJECTED = "MODEL_REJECTED"
    MODEL_TOO_LARGE = "MODEL_TOO_LARGE"
    MODEL_REFUSED = "MODEL_REFUSED"
    MODEL_TRUNCATED = "MODEL_TRUNCATED"
    MODEL_REPLY_BROKEN = "MODEL_REPLY_BROKEN"
    MODEL_PAUSED = "MODEL_PAUSED"
    OUTPUT_BLOCKED_SECRET = "OUTPUT_BLOCKED_SECRET"  # noqa: S105 - a word, not a password
    BUDGET_SPENT = "BUDGET_SPENT"
    QUEUE_FULL = "QUEUE_FULL"
    TOO_MANY_QUESTIONS = "TOO_MANY_QUESTIONS"
    ASKED_TOO_OFTEN = "ASKED_TOO_OFTEN"
    ANALYSIS_FAILED = "ANALYSIS_FAILED"
    SETTINGS_INVALID = "SETTINGS_INVALID"
    INPUT_INVALID = "INPUT_INVALID"
    DATABASE_BUSY = "DATABASE_BUSY"
    DATABASE_UNUSABLE = "DATABASE_UNUSABLE"
    INTERNAL = "INTERNAL"


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a code says to a person: why it happened and what to do about it."""

    why: str
    action: str


MEANINGS: dict[Code, Meaning] = {
    Code.GITHUB_UNAVAILABLE: Meaning(
        "GitHub did not answer, or answered with a server error, on every try.",
        "Nothing to do: the review is tried again; `/review` starts one now.",
    ),
    Code.GITHUB_RATE_LIMITED: Meaning(
        "GitHub asked this installation to slow down.",
        "Nothing to do: work goes on at the time GitHub named.",
    ),
    Code.GITHUB_UNAUTHORIZED: Meaning(
        "GitHub did not accept the App's credentials.",
        "Check GITHUB_APP_ID, the private key, and the server's clock.",
    ),
    Code.GITHUB_FORBIDDEN: Meaning(
        "The App lacks a permission for this call.",
        "Accept the App's permissions in the installation's settings.",
    ),
    Code.GITHUB_GONE: Meaning(
        "The repository, the pull request or the installation is not there any more, or not visible to the App.",
        "Install the App on the repository if it should be reviewed.",
    ),
    Code.GITHUB_REFUSED: Meaning(
        "GitHub refused the content of a request.",
        "Report it with the log line: the request was wrong, trying again would not help.",
    ),
    Code.GITHUB_REDIRECT_BLOCKED: Meaning(
        "GitHub's answer pointed to another host, and credentials never follow there.",
        "Set GITHUB_API_URL to the address the API really has.",
    ),
    Code.GITHUB_ANSWER_UNKNOWN: Meaning(
        "The answer to a write was lost, so it is not known whether it took effect.",
        "Nothing to do: the bot looks before it writes again.",
    ),
    Code.GIT_FAILED: Meaning(
        "Git could not read the repository.",
        "Check that the App may read contents, and the disk of the data folder.",
    ),
    Code.GIT_TIMEOUT: Meaning(
        "Git took longer than its limit.",
        "Check the network between this server and GitHub; `/review` tries again.",
    ),
    Code.MODEL_BUSY: Meaning(
        "The model's provider refused every try as overloaded or rate limited.",
        "`/review` tries again now; a second model in PRINCIPAL_MODEL would have taken over.",
    ),
    Code.MODEL_UNAVAILABLE: Meaning(
        "The model's provider did not answer, or answered with a server error, on every try.",
        "`/review` tries again now; a second model in PRINCIPAL_MODEL would have taken over.",
    ),
    Code.MODEL_TIMEOUT: Meaning(
        "The model did not answer within PRINCIPAL_MODEL_TIMEOUT_SECONDS.",
        "Raise the limit, or choose a faster model.",
    ),
    Code.MODEL_CREDIT: Meaning(
        "The provider's account is out of credit or over its spending limit.",
        "Top up the account; then `/review`.",
    ),
    Code.MODEL_UNAUTHORIZED: Meaning(
        "The provider did not accept the key.",
        "Check OPENAI_API_KEY or ANTHROPIC_API_KEY.",
    ),
    Code.MODEL_UNKNOWN: Meaning(
        "The provider does not know the model, or the key may not use it.",
        "Check PRINCIPAL_MODEL.",
    ),
    Code.MODEL_REJECTED: Meaning(
        "The provider rejected the request.",
        "Report it with the log line: trying again would not help.",
    ),
    Code.MODEL_TOO_LARGE: Meaning(
        "The prompt was larger than the model takes.",
        "Split the pull request, or choose a model with a larger window.",
    ),
    Code.MODEL_REFUSED: Meaning(
        "The model declined to answer, twice.",
        "Read these lines yourself, or choose another model.",
    ),
    Code.MODEL_TRUNCATED: Meaning(
        "The model's reply was cut off, twice.",
        "`/review PATH` tries the file again on its own.",
    ),
    Code.MODEL_REPLY_BROKEN: Meaning(
        "The model's reply was not in the form it was asked for, twice.",
        "`/review` tries again; some models cannot hold the form: choose another.",
    ),
    Code.MODEL_PAUSED: Meaning(
        "The provider failed so often that calls to it are paused for a moment.",
        "Nothing to do: the pause ends by itself; `/review` tries again.",
    ),
    Code.OUTPUT_BLOCKED_SECRET: Meaning(
        "What was to be said held one of this server's own secrets, so none of it was posted or kept.",
        "Replace that secret: somebody outside knows it. The log line `output_blocked` says which model said it.",
    ),
    Code.BUDGET_SPENT: Meaning(
        "A token or money limit set by the operator is reached.",
        "Raise the limit, or wait for the next day.",
    ),
    Code.QUEUE_FULL: Meaning(
        "More reviews wait than the bot can make soon, so this one was put off.",
        "Nothing to do: it is made when the queue is short again; `/review` asks for it now.",
    ),
    Code.TOO_MANY_QUESTIONS: Meaning(
        "More questions wait than the bot can answer soon, so this one is not.",
        "Ask again in a few minutes; reviews are made as before.",
    ),
    Code.ASKED_TOO_OFTEN: Meaning(
        "One person asked for so many reviews that others would have to wait for theirs, or pay for them.",
        "Ask again in an hour; pushes are reviewed as before.",
    ),
    Code.ANALYSIS_FAILED: Meaning(
        "The rules could not look at a file: the parser crashed on it or took too long.",
        "Read these lines yourself; a model, where one is configured, reads them all the same.",
    ),
    Code.SETTINGS_INVALID: Meaning("A setting is missing or wrong.", "Correct the variable that the message names."),
    Code.INPUT_INVALID: Meaning("The input could not be used.", "Correct what the message names."),
    Code.DATABASE_BUSY: Meaning(
        "The database did not take a write in time.", "Check the disk; GitHub's delivery can be redelivered."
    ),
    Code.DATABASE_UNUSABLE: Meaning("The database cannot be used.", "Do what the message says, then start again."),
    Code.INTERNAL: Meaning("A defect in the bot.", "Report it with the log line of this review."),
}


class PrincipalError(Exception):
    """A failure with a code and one sentence of what happened, safe to show: no secret, no path, no stack."""

    def __init__(self, code: Code, what: str) -> None:
        super().__init__(what)
        self.code = code
        self.what = what

    def __str__(self) -> str:
        return f"{self.what} ({self.code})"

    @property
    def meaning(self) -> Meaning:
        """Why it happened and what to do."""
        return MEANINGS[self.code]


class Transient(PrincipalError):
    """May succeed when tried again, not before `retry_after_seconds` where the other side named a time."""

    def __init__(self, code: Code, what: str, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(code, what)
        self.retry_after_seconds = retry_after_seconds


class Permanent(PrincipalError):
    """Will not succeed when tried again: the job ends and says why."""


class UserError(PrincipalError):
    """Something the person who asked can correct."""

    def __init__(self, what: str, code: Code = Code.INPUT_INVALID) -> None:
        super().__init__(code, what)
