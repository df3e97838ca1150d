"""Pages for people: a template and its values in, an answer out that no browser turns against its reader.

Templates escape whatever they are given; the headers allow no script, nothing from elsewhere, and no frame around the page.
Assets have their content's hash in their address, so a browser keeps them until they change.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from app import __version__
from app.web import shown

HERE = Path(__file__).parent
FORM_AT_MOST_BYTES = 16 * 1024
FIELDS_AT_MOST = 50
ASSETS = {
    "principal.css": "text/css; charset=utf-8",
    "dashboard.css": "text/css; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
YEAR_SECONDS = 31_536_000

HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # With `no-referrer` a browser would send `Origin: null`, and the form's own page could not be told from another.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


def answer(name: str, *, status: int = 200, forms_go_to: str = "", **values: object) -> HTMLResponse:
    """The template of this name with these values. `forms_go_to` is another site that its form is sent to."""
    return page(name, values, status=status, forms_go_to=forms_go_to)


def page(name: str, values: Mapping[str, object], *, status: int = 200, forms_go_to: str = "") -> HTMLResponse:
    """As `answer`, for whoever has the values in hand already."""
    text = _templates().get_template(name).render(**values)
    policy = (
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'; "
        f"form-action 'self' {forms_go_to}".rstrip()
    )
    return HTMLResponse(text, status_code=status, headers={**HEADERS, "Content-Security-Policy": policy})


async def form(request: Request) -> Mapping[str, str]:
    """The fields of a posted form, each once; empty when it is no form, or a large one."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > FORM_AT_MOST_BYTES:
            return {}
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=FIELDS_AT_MOST))
    except ValueError:
        return {}


def is_own(request: Request, *, public_url: str | None) -> bool:
    """Whether a post comes from one of our own pages, as far as the browser tells; what is no browser tells nothing."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return False
    origin = request.headers.get("origin")
    ours = {f"{scheme}://{request.headers.get('host', '')}" for scheme in ("http", "https")}
    return origin is None or origin in ours or (public_url is not None and f"{origin}/" == _root(public_url))


def assets() -> APIRouter:
    """The routes of the style sheet and the icon."""
    routes = APIRouter()

    @routes.get("/assets/{name}")
    async def asset(name: str) -> Response:
        """One file, as it was shipped."""
        if name not in ASSETS:
            return Response(status_code=404)
        kept = {**HEADERS, "Cache-Control": f"public, max-age={YEAR_SECONDS}, immutable"}
        return Response(_asset(name), media_type=ASSETS[name], headers=kept)

    return routes


@cache
def _asset(name: str) -> bytes:
    return (HERE / "assets" / name).read_bytes()


@cache
def _address(name: str) -> str:
    return f"/assets/{name}?{hashlib.sha256(_asset(name)).hexdigest()[:12]}"


@cache
def _templates() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {"asset": _address, "version": __version__}
    environment.filters |= shown.FILTERS
    return environment


def _root(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}/"
