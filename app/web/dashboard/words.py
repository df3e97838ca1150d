"""What the dashboard calls things: the engine's and the tables' names in, words for an operator out."""

from __future__ import annotations

import re

from app.jobs import JobState
from app.jobs.timeline import EFFECT, StepTaken
from app.stages.post import CHECK_KEY

STATES = {
    JobState.WAITING: "Waiting",
    JobState.RUNNING: "Running",
    JobState.DONE: "Done",
    JobState.FAILED: "Failed",
    JobState.SUPERSEDED: "Superseded",
    JobState.CANCELLED: "Cancelled",
    JobState.SKIPPED: "Skipped",
}
QUEUES = {"ingest": "Deliveries", "reviews": "Automatic reviews", "manual": "Asked for by people"}
PLACEMENTS = {
    "inline": "Said as a comment",
    "folded": "Folded into the summary",
    "elsewhere": "In the summary: its line is not part of the change",
    "pre_existing": "Stood there before the change; counted nowhere",
}
_STEPS = {
    "compare": "Compare base and head",
    "policy": "Read the policy",
    "recall": "Recall what was said before",
    "scan": "Scan with the rules",
    "summarise": "Sum the parts up",
    "keep": "Keep what was said",
    "keep summary": "Keep where the summary stands",
    "edit summary": "Bring the summary up to date",
    "finish check": "End the check run",
    "resolve": "Resolve a thread",
    "reopen": "Open a thread again",
    "DBOS.sleep": "Wait, then try everything again that failed",
}
_NUMBERED = {
    "review": "Ask the reviewer, part",
    "verify": "Ask the sceptic, group",
    "fix": "Ask for fixes, group",
    "fix alone": "Ask again for fix",
}
_EFFECTS = {CHECK_KEY: "Begin the check run", "summary ": "Write the summary", "answer ": "Answer in a thread"}
_QUESTION = re.compile(r"(review|verify|fix|fix alone) (\d+)")


def step(taken: StepTaken) -> str:
    """What a step does, in a few words."""
    if question := _QUESTION.fullmatch(taken.name):
        return f"{_NUMBERED[question[1]]} {question[2]}"
    if taken.is_effect:
        key = taken.name.removeprefix(EFFECT)
        return next((words for start, words in _EFFECTS.items() if key.startswith(start)), "Post the review")
    return _STEPS.get(taken.name, taken.name.capitalize())


def trigger(name: str) -> str:
    """Why a review was made."""
    match name.partition(":")[0]:
        case "push":
            return "a push"
        case "base":
            return "a new base branch"
        case "comment":
            return "a comment"
        case "rerun":
            return "Re-run on the check run"
        case other:
            return other
