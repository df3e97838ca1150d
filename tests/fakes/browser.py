"""A person with a browser that has no script: opens pages, keeps cookies, fills in forms, follows redirects between sites."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.client import HTTPMessage
from http.cookiejar import CookieJar
from urllib.parse import urlencode, urljoin, urlsplit


@dataclass
class Form:
    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.links: dict[str, str] = {}
        self._link = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(given.get("action", ""), given.get("method", "get").lower()))
        elif tag == "input" and self.forms and (given.get("type") != "radio" or "checked" in given):
            self.forms[-1].fields[given.get("name", "")] = given.get("value", "")
        elif tag == "textarea" and self.forms:
            self.forms[-1].fields[given.get("name", "")] = ""
        elif tag == "a":
            self._link = given.get("href", "")

    def handle_data(self, data: str) -> None:
        if self._link and data.strip():
            self.links[data.strip()] = self._link

    def handle_endtag(self, tag: str) -> None:
        if tag == "a":
            self._link = ""


class Browser:
    """`status`, `url`, `headers` and `text` are those of the page that is open."""

    def __init__(self) -> None:
        self.cookies = CookieJar()
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.cookies))
        self.status, self.url, self.text = 0, "", ""
        self.headers: HTTPMessage = HTTPMessage()

    def open(
        self, url: str, *, form: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
    ) -> Browser:
        """The page at this address; with a form, what it is answered."""
        data = urlencode(form).encode() if form is not None else None
        request = urllib.request.Request(urljoin(self.url, url), data, dict(headers or {}))
        try:
            answer = self._opener.open(request, timeout=90)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            self.status, self.url, self.headers = answer.status, answer.url, answer.headers
            self.text = answer.read().decode()
        return self

    @property
    def forms(self) -> list[Form]:
        return self._read().forms

    def submit(self, which: int = 0, /, **filled: str) -> Browser:
        """What a form of this page is answered, with these fields filled in."""
        form = self.forms[which]
        page = urlsplit(self.url)
        unknown = set(filled) - set(form.fields)
        assert not unknown, f"the form has no {unknown}"
        origin = {"Origin": f"{page.scheme}://{page.netloc}"}
        return self.open(form.action, form={**form.fields, **filled}, headers=origin)

    def follow(self, words: str) -> Browser:
        """The page behind a link of this one."""
        links = self._read().links
        assert words in links, f"no link {words!r} among {sorted(links)}"
        return self.open(links[words])

    def _read(self) -> _Reader:
        reader = _Reader()
        reader.feed(self.text)
        return reader
