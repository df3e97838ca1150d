"""The dashboard as an operator's browser sees it: over HTTP, without a script."""

from __future__ import annotations

import http.client
import re
from html.parser import HTMLParser
from urllib.parse import quote, urlencode, urlsplit

import pytest

from app.errors import UserError
from app.jobs.board import Wanted
from app.settings import Settings
from app.web.dashboard.access import TRIES_AT_MOST
from tests.fakes.contract import described_github
from tests.fakes.models import FakeModels
from tests.fakes.oauth import CLIENT_ID, CLIENT_SECRET, OAuth
from tests.stories.bot import SECRET, Bot, completed, environment, wait_for
from tests.stories.test_diary import PASSWORD, REPLIES
from tests.stories.test_main_job import CLAIM, HEAD, open_pull, with_model

HOSTILE = "<script>alert(1)</script><img src=x onerror='alert(2)'>"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
TOKEN = re.compile(r'name="token" value="([0-9a-f]{64})"')
VOID = {"meta", "link", "img", "input", "br", "hr", "line", "rect", "path"}


class Page(HTMLParser):
    """A page as a screen reader would take it: its headings, its addresses, and what is wrong with its structure."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.headings: list[int] = []
        self.addresses: list[str] = []
        self.wrong: list[str] = []
        self.names: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.wrong += [f"<{name}> is not closed" for name in self._open]
        self.wrong += [f"the id {name} is there twice" for name in {*self.names} if self.names.count(name) > 1]
        if self.headings.count(1) != 1:
            self.wrong.append("it has not one main heading")

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if tag in ("script", "style", "iframe", "object"):
            self.wrong.append(f"<{tag}>")
        self.wrong += [f"{tag} {name}" for name in given if name.startswith("on") or name == "style"]
        self.addresses += [given[name] for name in ("href", "src", "action") if name in given]
        self.names += [given["id"]] if "id" in given else []
        if re.fullmatch(r"h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag == "img" and "alt" not in given:
            self.wrong.append("an image without words")
        if tag == "svg" and given.get("aria-hidden") != "true" and not given.get("aria-label"):
            self.wrong.append("a drawing without words")
        if tag == "input" and given.get("type") != "hidden" and "label" not in self._open:
            self.wrong.append("a field without a label")
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        if tag in VOID:
            return
        if not self._open or self._open.pop() != tag:
            self.wrong.append(f"</{tag}> closes nothing")


class Browser:
    """Keeps one cookie, follows nothing, runs no script."""

    def __init__(self, url: str) -> None:
        self._where = urlsplit(url)
        self.cookie = ""
        """As it is sent: every cookie that was set, the latest of each name."""

    def ask(self, method, path, fields=None, **headers):
        connection = http.client.HTTPConnection(self._where.hostname, self._where.port, timeout=90)
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        given |= {"Cookie": self.cookie} if self.cookie else {}
        try:
            connection.request(method, path, urlencode(fields) if fields else None, (FORM if fields else {}) | given)
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        given = dict(one.split("=", 1) for one in self.cookie.split("; ") if one)
        for line in answer.headers.get_all("Set-Cookie") or ():
            name, _, value = line.partition(";")[0].partition("=")
            given[name] = value
        self.cookie = "; ".join(f"{name}={value}" for name, value in given.items() if value not in ("", '""'))
        return answer.status, answer.headers, text

    def get(self, path):
        return self.ask("GET", path)

    def post(self, path, **fields):
        return self.ask("POST", path, fields)

    def log_in(self):
        status, headers, _ = self.post("/login", password=PASSWORD["PRINCIPAL_DASHBOARD_PASSWORD"])
        assert (status, headers["Location"]) == (303, "/")
        return self

    def token(self):
        return TOKEN.search(self.get("/queues")[2])[1]


@pytest.fixture
def world(tmp_path):
    """A bot with a dashboard, its GitHub and its model."""
    with described_github() as github, FakeModels() as models:
        models.answers_instantly(REPLIES)
        with Bot(environment(github, tmp_path, **with_model(models), **PASSWORD)) as bot:
            yield github, models, bot


def test_without_a_login_the_dashboard_says_how_to_turn_it_on(tmp_path):
    with described_github() as github, Bot(environment(github, tmp_path)) as bot:
        browser = Browser(bot.url)
        status, headers, text = browser.get("/")
        assert status == 404
        assert "PRINCIPAL_DASHBOARD_PASSWORD=" in text
        assert Page(text).wrong == []
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert browser.get("/reviews")[0] == 404
        assert browser.post("/login", password="")[0] == 404
        assert browser.post("/cancel", key="review:1:1:abc:push")[0] == 404


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"PRINCIPAL_DASHBOARD_PASSWORD": "short"}, "PRINCIPAL_DASHBOARD_PASSWORD"),
        ({"PRINCIPAL_DASHBOARD_ORG": "acme"}, "GITHUB_CLIENT_ID"),
        ({"PRINCIPAL_DASHBOARD_ORG": "acme", "GITHUB_CLIENT_ID": "x"}, "GITHUB_CLIENT_SECRET"),
    ],
)
def test_a_login_that_guards_nothing_stops_the_start(given, named):
    with pytest.raises(UserError, match=named):
        _ = Settings.load(given).dashboard_configured


def test_only_whoever_knows_the_password_sees_anything_and_guessing_has_an_end(world):
    _, _, bot = world
    browser = Browser(bot.url)
    for path in ("/", "/reviews", "/reviews/x", "/steps/1/1/x", "/queues", "/spending", "/findings", "/library"):
        status, headers, text = browser.get(path)
        assert (status, text) == (303, ""), path
        assert headers["Location"] == (f"/login?next={quote(path, safe='')}" if path != "/" else "/login")
    status, _, text = browser.get("/login?next=%2Freviews")
    assert status == 200
    assert '<input type="hidden" name="next" value="/reviews">' in text
    assert Page(text).wrong == []

    status, _, text = browser.post("/login", password="not it", next="/reviews")
    assert (status, browser.cookie) == (401, "")
    assert "That is not the password." in text
    status, headers, _ = browser.post(
        "/login", password=PASSWORD["PRINCIPAL_DASHBOARD_PASSWORD"], next="/reviews?state=failed"
    )
    assert (status, headers["Location"]) == (303, "/reviews?state=failed")
    assert {"HttpOnly", "SameSite=lax"} <= {part.strip() for part in headers["Set-Cookie"].split(";")}
    assert browser.get("/reviews")[0] == 200
    for elsewhere in ("//evil.example", "https://evil.example/", "/\\evil.example", "/\r\nSet-Cookie: a=b"):
        status, headers, _ = browser.post("/login", password=PASSWORD["PRINCIPAL_DASHBOARD_PASSWORD"], next=elsewhere)
        assert (status, headers["Location"]) == (303, "/"), elsewhere

    forged = Browser(bot.url)
    body, _, mac = browser.cookie.partition("=")[2].partition(".")
    for cookie in (f"{body}.{mac[::-1]}", f"{body}.", "x", f"{body[:-4]}AAAA.{mac}"):
        forged.cookie = f"principal_session={cookie}"
        assert forged.get("/reviews")[0] == 303

    status, headers, _ = browser.post("/logout", token=browser.token())
    assert (status, headers["Location"]) == (303, "/login")
    assert browser.get("/reviews")[0] == 303

    guesser = Browser(bot.url)
    answers = [guesser.post("/login", password=f"guess {number}")[0] for number in range(TRIES_AT_MOST)]
    assert set(answers) == {401, 429}
    status, headers, text = guesser.post("/login", password=PASSWORD["PRINCIPAL_DASHBOARD_PASSWORD"])
    assert status == 429
    assert int(headers["Retry-After"]) > 0
    assert "Too many wrong passwords" in text
    assert guesser.cookie == ""


def test_an_operator_reads_what_a_review_did_and_hostile_text_stays_text(world):
    github, models, bot = world
    claim = CLAIM | {
        "title": f"The total is set {HOSTILE}",
        "explanation": f"Every order {HOSTILE} is charged nothing.",
    }
    unplaced = claim | {"quote": f"nowhere {HOSTILE}"}
    models.answers_instantly(
        REPLIES | {"review": {"overview": f"It charges {HOSTILE}.", "findings": [claim, unplaced]}}
    )
    repository = github.create_repository("acme/shop", files={"src/pay.ts": "export const a = 1;\n"}, private=True)
    github.webhook(f"{bot.url}/webhooks/github", secret=SECRET)
    head = f"export const a = 1;\n  if (total = 0) return;\n// {HOSTILE}\n"
    pull = repository.open_pull(files={"src/pay.ts": head}, title=f"Skip {HOSTILE}", body=HOSTILE)
    completed(pull)
    wait_for(lambda: bot.engine.board.reviews(Wanted()).rows[0].is_over, why="the review did not end")

    browser = Browser(bot.url).log_in()
    _, _, listed = browser.get("/reviews?repository=acme%2Fshop&number=1")
    key = re.search(r'href="/reviews/(review%3A[^"]+)"', listed)[1]
    _, _, review = browser.get(f"/reviews/{key}")
    step = re.search(r'href="(/steps/1/\d+/[^"]+)">Ask the reviewer, part 1<', review)[1]
    posted = re.search(r'href="(/steps/1/\d+/[^"]+)">Post the review<', review)[1]
    pages = {path: browser.get(path) for path in (
        "/", "/reviews", "/reviews?state=done&number=1", f"/reviews/{key}", f"/reviews/{key}?attempt=7", step, posted,
        "/queues", "/spending", "/spending?days=7", "/findings", "/library",
    )}  # fmt: skip
    for path, (status, headers, text) in pages.items():
        assert status == 200, path
        page = Page(text)
        assert page.wrong == [], path
        outside = [one for one in page.addresses if not one.startswith(("/", "#", "?", github.server_url))]
        assert outside == [], path
        assert "script-src" not in headers["Content-Security-Policy"]
        assert headers["Cache-Control"] == "no-store"

    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in review
    for said in ("Done", "1 of 1", "The total is set", "its quote", "Ask the sceptic, group 1", "Post the review"):
        assert said in review, said
    _, _, asked = pages[step]
    assert "onerror=&#39;alert(2)&#39;" in asked
    assert "Skip &lt;script&gt;" in asked
    assert "It charges &lt;script&gt;" in asked
    overview = pages["/"][2]
    assert "acme/shop<b>#1</b>" in overview
    assert "nothing needs you" in overview
    assert "openai:gpt-6.1-sol" in pages["/spending"][2]
    assert "acme/shop" in pages["/spending"][2]
    assert "<code>invariants</code>" in pages["/findings"][2]
    assert "nobody has decided on anything yet" in pages["/findings"][2]
    assert "TypeScript" in pages["/library"][2]
    assert browser.get("/reviews/review%3A1%3A1%3Anone%3Apush")[0] == 404
    assert browser.get(f"/steps/1/400/{key}")[0] == 404
    assert browser.get("/reviews?state=odd&number=x&at=y")[0] == 200
    status, headers, style = browser.get(next(one for one in Page(overview).addresses if "dashboard.css" in one))
    assert status == 200
    assert "immutable" in headers["Cache-Control"]
    assert "http" not in style


def test_a_failed_review_is_retried_and_a_running_one_cancelled_by_our_own_form_alone(world):
    github, models, bot = world
    models.will_refuse(times=2)
    pull = open_pull(github, bot)
    completed(pull)
    browser = Browser(bot.url).log_in()

    def dead():
        text = browser.get("/queues")[2]
        return text if "MODEL_REFUSED" in text else ""

    queues = wait_for(dead, why="the review did not fail")
    assert Page(queues).wrong == []
    assert "Failed for good" in queues
    key = bot.engine.board.dead()[0].key
    token = browser.token()
    models.answers_instantly(REPLIES)

    before = bot.engine.board.review(key)
    refused = [
        browser.post("/retry", key=key),
        browser.post("/retry", key=key, token="0" * 64),
        browser.ask("POST", "/retry", {"key": key, "token": token}, Origin="https://evil.example"),
        browser.ask("POST", "/retry", {"key": key, "token": token}, Sec_Fetch_Site="cross-site"),
        browser.post("/cancel", key=key, token=Browser(bot.url).log_in().token()),
    ]
    assert [status for status, _, _ in refused] == [403] * 5
    assert all("Nothing was done." in text for _, _, text in refused)
    assert Browser(bot.url).post("/retry", key=key, token=token)[0] == 303
    assert bot.engine.board.review(key) == before

    status, _, text = browser.post("/retry", key=key, token=token)
    assert (status, "It was taken up again" in text) == (200, True)
    wait_for(lambda: pull.reviews, why="the review was not posted after the retry")
    wait_for(lambda: bot.engine.board.review(key).state == "done", why="the job did not end")
    assert bot.engine.board.review(key).attempt == 2
    assert bot.engine.board.dead() == ()
    assert "Attempt 2" in browser.get(f"/reviews/{quote(key, safe='')}")[2]
    assert browser.post("/retry", key=key, token=token)[0] == 409
    assert browser.post("/retry", key="review:1:1:none:push", token=token)[0] == 409
    assert browser.post("/retry-delivery", guid="none", token=token)[0] == 409

    gate = models.will_hang()
    pull.push({"src/pay.ts": HEAD.replace("= 0", "== 0")})
    wait_for(lambda: len(models.asked_for("review")) == 4, why="the second review does not run")
    (row,) = bot.engine.board.active()
    status, _, text = browser.post("/cancel", key=row.key, token=token)
    assert (status, "It was stopped." in text) == (200, True)
    wait_for(lambda: bot.engine.board.review(row.key).state == "cancelled", why="the review was not cancelled")
    told = [run.output.title for run in completed(pull, runs=3)]
    assert [title for title in told if "The operator cancelled the review" in title], told
    assert len(pull.reviews) == 1
    assert browser.post("/cancel", key=row.key, token=token)[0] == 409
    gate.set()


def test_members_of_the_organisation_log_in_with_github_and_nobody_else(tmp_path):
    with OAuth({"alice": "active", "bob": "pending"}) as oauth, described_github() as github:
        at = environment(github, tmp_path) | {"GITHUB_SERVER_URL": oauth.url, "GITHUB_API_URL": f"{oauth.url}/api/v3"}
        login = {
            "PRINCIPAL_DASHBOARD_ORG": "acme",
            "GITHUB_CLIENT_ID": CLIENT_ID,
            "GITHUB_CLIENT_SECRET": CLIENT_SECRET,
        }
        with Bot(at | login) as bot:

            def come(name, *, next_to="%2Fqueues"):
                browser = Browser(bot.url)
                status, headers, _ = browser.get(f"/login/github?next={next_to}")
                assert status == 303
                return browser, oauth.says_yes(name, headers["Location"]).removeprefix(bot.url)

            ask = Browser(bot.url).get("/login")[2]
            assert "For members of acme." in ask
            assert 'type="password"' not in ask
            assert Page(ask).wrong == []

            browser, back = come("alice")
            status, headers, _ = browser.get(back)
            assert (status, headers["Location"]) == (303, "/queues")
            assert "alice" in browser.get("/queues")[2]
            stranger = Browser(bot.url)
            assert stranger.get(back)[0] == 403
            assert stranger.get("/queues")[0] == 303
            assert come("alice", next_to="%2F%2Fevil.example")[0].get(back)[0] == 403

            for name, why in (("bob", "no active member"), ("mallory", "is no member of acme")):
                browser, back = come(name)
                status, _, text = browser.get(back)
                assert (status, why in text) == (403, True), name
                assert browser.get("/queues")[0] == 303
            browser, back = come("alice", next_to="%2F%2Fevil.example")
            spent = browser.cookie
            assert browser.get(back)[1]["Location"] == "/"
            browser.cookie = spent
            status, _, text = browser.get(back)
            assert (status, "did not accept the login" in text) == (403, True)
            oauth.may_ask = False
            browser, back = come("alice")
            assert "Members: read" in browser.get(back)[2]
            assert browser.post("/login", password="")[0] == 401
