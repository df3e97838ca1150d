"""What stands around the image when deploy/check-image.sh tries it: a GitHub, a model, and a person who opens pull requests.

    python -m tests.image.world FOLDER

It runs in a container of its own and shares the loopback with the service. FOLDER is how it talks with the script; it writes

    service.env   the service's settings
    posted        when the first review stands
    under-way     when the model was asked for the second one and does not answer: now the service is stopped and started again
    done          when that review stands, once
"""

from __future__ import annotations

import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from app import demo
from app.sandbox import PullHandle, Sandbox
from tests.fakes.models import FakeModels, Hang

SERVICE = "http://127.0.0.1:8000"
SECRET = "a webhook secret for trying the image"
WAIT_SECONDS = 180.0
LOOK_SECONDS = 0.05


def main(folder: Path) -> None:
    """Play the whole story, or end with what did not happen."""
    with Sandbox() as github, FakeModels() as models:
        models.answers_instantly()
        write_settings(folder / "service.env", settings(github, models))
        wait_for(is_ready, "the service to be ready")
        sample = demo.sample()
        repository = github.create_repository("acme/orders", files=sample.base)
        github.webhook(f"{SERVICE}/webhooks/github", secret=SECRET)
        first = repository.open_pull(files=sample.head, title="Charge orders", body="")
        reviewed(first)
        (folder / "posted").write_text(
            f"{len(first.review_comments)} comments, {len(models.requests)} calls of the model\n"
        )

        asked, silent = len(models.requests), threading.Event()
        models.answers(lambda _: Hang(silent))
        second = repository.open_pull(files=sample.head, title="Charge them again", body="")
        wait_for(lambda: len(models.requests) > asked, "the model to be asked")
        (folder / "under-way").touch()
        wait_for(lambda: not is_ready(), "the service to stop")
        models.answers_instantly()
        silent.set()
        reviewed(second)
        (folder / "done").write_text(f"{len(second.review_comments)} comments, {len(second.reviews)} review\n")


def settings(github: Sandbox, models: FakeModels) -> Mapping[str, str]:
    """The service's variables; the key in one line, as files of variables want it."""
    return {
        "GITHUB_API_URL": github.api_url,
        "GITHUB_SERVER_URL": github.server_url,
        "GITHUB_APP_ID": str(github.app.id),
        "GITHUB_PRIVATE_KEY": github.private_key.replace("\n", "\\n"),
        "GITHUB_WEBHOOK_SECRET": SECRET,
        "PRINCIPAL_QUIET_SECONDS": "0",
        "PRINCIPAL_MODEL": "openai:gpt-6.1-sol",
        **models.environment("openai"),
    }


def write_settings(file: Path, variables: Mapping[str, str]) -> None:
    """All of it or nothing: the script waits for the file, and must not read half of it."""
    unfinished = file.with_suffix(".part")
    unfinished.write_text("".join(f"{name}={value}\n" for name, value in variables.items()))
    unfinished.rename(file)


def reviewed(pull: PullHandle) -> None:
    """Returns once the pull request has its one review, with something said in it."""
    wait_for(lambda: any(run.status == "completed" for run in pull.check_runs), f"review of #{pull.number}")
    if len(pull.reviews) != 1 or not pull.review_comments:
        sys.exit(f"#{pull.number} has {len(pull.reviews)} reviews with {len(pull.review_comments)} comments")


def is_ready() -> bool:
    """Whether the service says so."""
    try:
        with urllib.request.urlopen(f"{SERVICE}/ready", timeout=5) as reply:
            return bool(reply.status == 200)
    except OSError:
        return False


def wait_for(happened: Callable[[], Any], what: str) -> None:
    """Returns once it has happened, or ends the program."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not happened():
        if time.monotonic() > deadline:
            sys.exit(f"Waited in vain for {what}")
        time.sleep(LOOK_SECONDS)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
