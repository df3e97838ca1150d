"""`principal sandbox`: one pull of a person's own repository on a local GitHub, until they press Ctrl-C."""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path

from app.sandbox.server import Sandbox

SECRET = "sandbox-secret"  # noqa: S105 - it protects nothing but a server on loopback.


def run(
    repo_path: Path,
    *,
    base: str,
    head: str,
    port: int = 0,
    webhook_url: str | None = None,
    secret: str | None = None,
    stop: threading.Event | None = None,
) -> None:
    """Serves a copy of the repository with a pull of `base..head`, delivers its webhook, and stays until `stop` or Ctrl-C.

    Raises:
        LookupError: a revision names no commit, or the path is no repository.
        ValueError: there is nothing between the two revisions.
        OSError: the port is taken.

    """
    with Sandbox(port=port) as github, tempfile.TemporaryDirectory(prefix="sandbox-key-") as folder:
        key = Path(folder) / "app.pem"
        key.touch(mode=0o600)
        key.write_text(github.private_key, encoding="utf-8")
        name = f"acme/{repo_path.resolve().name.removesuffix('.git') or 'repository'}"
        repository, base_branch, head_branch = github.adopt(repo_path, name, base=base, head=head)
        repository.add_collaborator("you", "write")
        _tell(
            "Settings for `principal serve` against this sandbox:",
            f"  GITHUB_API_URL={github.api_url}",
            f"  GITHUB_SERVER_URL={github.server_url}",
            f"  GITHUB_APP_ID={github.app.id}",
            f"  GITHUB_PRIVATE_KEY_PATH={key}",
            f"  GITHUB_WEBHOOK_SECRET={secret or SECRET}",
        )
        github.webhook(webhook_url, secret=secret or SECRET)
        title, body = repository.describe(head_branch)
        pull = repository.open_pull(branch=head_branch, base=base_branch, title=title, body=body, author="you")
        _tell(f"The pull request: {pull.url}")
        if pull.delivery is not None:
            _tell(f"Its webhook: {pull.delivery.status} from {webhook_url}")
        _tell("Comments on the page reach the bot too. Ctrl-C ends it.")
        _wait(stop or threading.Event())


def _tell(*lines: str) -> None:
    # Flushed, because whoever starts the bot may read this through a pipe.
    print(*lines, sep="\n", flush=True)


def _wait(stop: threading.Event) -> None:
    try:
        stop.wait()
    except KeyboardInterrupt:
        return
