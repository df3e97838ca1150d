"""The one door to GitHub: `App.installation(…)` or `GitHub.with_token(…)` in, verbs that return values of ours out.

App ─ installation ─► GitHub ─ pull, compare, post_review, … ─► app.core.pull
│
client.py verbs · pace.py how fast · credentials.py tokens · transport.py threads and connections · errors.py
"""

from app.github.addresses import parse_pull_url
from app.github.app import App
from app.github.client import GitHub
from app.github.transport import Limits
from app.github.wire import Call, OnCall

__all__ = ["App", "Call", "GitHub", "Limits", "OnCall", "parse_pull_url"]
