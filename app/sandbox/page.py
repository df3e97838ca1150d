"""The web side: a pull's conversation, files and checks as pages, and the few things a person may do there.

The pages need no script and ask no other host for anything. Forms are taken only from the sandbox's own pages.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, unquote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from app.sandbox import reviews, suggestions, views
from app.sandbox.app_pages import AppPages
from app.sandbox.channels import Channels
from app.sandbox.hub import Hub
from app.sandbox.records import Account, Pull, Repository, Thread
from app.sandbox.refusals import Refused
from app.sandbox.verbs import acting_as

TEMPLATES = Path(__file__).with_name("templates")
POLICY = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'{forms_to}; base-uri 'none'; frame-ancestors 'none'"
PULL_PATH = re.compile(r"/(?P<repository>[^/]+/[^/]+)/pull/(?P<number>\d+)(?P<rest>/.*|\.diff)?")
REPOSITORY_PATH = re.compile(r"/(?P<repository>[^/]+/[^/]+)(?:/pulls)?/?")
BLOB_PATH = re.compile(r"/(?P<repository>[^/]+/[^/]+)/(?:blob|raw)/(?P<ref>[^/]+)/(?P<path>.+)")


class Pages:
    """Answers whatever is neither the API nor git."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._apps = AppPages(hub, self._page)
        self._channels = Channels()
        self._environment = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals["style"] = Markup((TEMPLATES / "style.css").read_text("utf-8"))  # noqa: S704 - our own file.

    async def serve(self, request: Request, data: bytes) -> Response:
        """A page, or what a form does."""
        passed_on = self._channels.serve(request, data)
        return passed_on if passed_on is not None else await run_in_threadpool(self._serve, request, data)

    def _serve(self, request: Request, data: bytes) -> Response:
        path = unquote(request.url.path)
        try:
            if request.method == "POST":
                return self._post(request, path, parse_qs(data.decode("utf-8", "replace")))
            with self._hub.lock:
                return self._apps.show(path) or self._show(path)
        except LookupError:
            return PlainTextResponse("Not Found", 404)

    def _show(self, path: str) -> Response:
        if path == "/":
            return self._page("index.html", repositories=self._repositories())
        if (match := PULL_PATH.fullmatch(path)) is not None:
            return self._pull_page(self._pull(match), match["rest"] or "")
        if (match := BLOB_PATH.fullmatch(path)) is not None:
            return self._blob(self._repository(match["repository"]), match["ref"], match["path"])
        if (match := REPOSITORY_PATH.fullmatch(path)) is not None:
            return self._page("index.html", repositories=[self._repository(match["repository"])])
        raise LookupError(path)

    def _pull_page(self, pull: Pull, rest: str) -> Response:
        if rest == ".diff":
            diff = pull.repository.git.diff(self._hub.merge_base(pull), pull.head_sha)
            return PlainTextResponse(diff)
        head = views.pull_view(self._hub, pull)
        match rest.rstrip("/"):
            case "":
                return self._page("conversation.html", pull=head, entries=views.conversation(self._hub, pull))
            case "/files":
                return self._page("files.html", pull=head, files=views.files(self._hub, pull))
            case "/checks":
                return self._page("checks.html", pull=head)
            case _:
                raise LookupError(rest)

    def _blob(self, repository: Repository, ref: str, path: str) -> Response:
        sha = repository.git.resolve(ref)
        data = repository.git.blob(sha, path) if sha else None
        if data is None:
            raise LookupError(path)
        return PlainTextResponse(data, headers={"X-Content-Type-Options": "nosniff"})

    def _page(self, template: str, *, status: int = 200, forms_to: str = "", **values: object) -> Response:
        text = self._environment.get_template(template).render(**values)
        policy = POLICY.format(forms_to=f" {forms_to}" if forms_to else "")
        # A stricter referrer policy would take the origin from the page's own forms.
        return HTMLResponse(text, status, {"Content-Security-Policy": policy, "Referrer-Policy": "same-origin"})

    def _repositories(self) -> list[Repository]:
        return [repository for repository in self._hub.state.repositories.values() if not repository.deleted]

    def _repository(self, full_name: str) -> Repository:
        found = self._hub.state.repository(full_name)
        if found is None:
            raise LookupError(full_name)
        return found

    def _pull(self, match: re.Match[str]) -> Pull:
        found = self._repository(match["repository"]).issues.get(int(match["number"]))
        if isinstance(found, Pull):
            return found
        raise LookupError(match["number"])

    # Forms.

    def _post(self, request: Request, path: str, form: dict[str, list[str]]) -> Response:
        # A page of another site must not write here in the name of whoever looks at it.
        own = request.headers.get("origin", self._hub.urls.server) == self._hub.urls.server
        if not own and not self._apps.takes_from_others(path):
            return PlainTextResponse("Forms are taken from the sandbox's own pages only.", 403)
        return self._apps.act(path, request.query_params, form) or self._act(path, form)

    def _act(self, path: str, form: dict[str, list[str]]) -> Response:
        match = PULL_PATH.fullmatch(path)
        if match is None:
            raise LookupError(path)
        text = form.get("body", [""])[0].strip().replace("\r\n", "\n")
        anchor = form.get("at", [""])[0]
        with self._hub.transaction() as deliveries:
            pull = self._pull(match)
            # A person at the page acts as the pull's author.
            who = pull.author or self._hub.state.account("dev")
            try:
                self._action(pull, (match["rest"] or "").strip("/").split("/"), text, who)()
            except (Refused, suggestions.NotApplicable) as refused:
                return PlainTextResponse(str(refused), 422)
        self._hub.webhooks.send_later(deliveries)
        where = re.sub(r"[^\w-]", "", anchor)
        return RedirectResponse(f"{self._hub.shapes.pull_page(pull)}#{where}", 303)

    def _action(self, pull: Pull, parts: list[str], text: str, who: Account) -> Callable[[], object]:
        match parts:
            case ["comments"] if text:
                return lambda: self._hub.comment(pull, body=text, by=who)
            case ["threads", number, "replies"] if text:
                top = self._thread(pull, number).comments[0].id
                return lambda: reviews.reply(self._hub, pull, top, text, caller=acting_as(who))
            case ["threads", number, "resolve"]:
                thread = self._thread(pull, number)
                return lambda: self._hub.resolve(thread, by=None if thread.resolved_by else who, actor=who)
            case ["suggestions", number]:
                made = self._hub.state.review_comments.get(int(number)) if number.isdigit() else None
                if made is None or made.pull is not pull:
                    raise LookupError(number)
                return lambda: suggestions.apply(self._hub, made, by=who)
            case _:
                raise LookupError("/".join(parts))

    def _thread(self, pull: Pull, number: str) -> Thread:
        for thread in pull.threads:
            if str(thread.id) == number:
                return thread
        raise LookupError(number)
