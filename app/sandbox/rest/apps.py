"""The App's own operations: who it is, where it is installed, tokens, and the log of its webhooks."""

from __future__ import annotations

import json

from app.sandbox import access, registering
from app.sandbox.access import issue_token, visible
from app.sandbox.records import App, Delivery, Installation, Repository, Role
from app.sandbox.refusals import Refused, not_found
from app.sandbox.rest import Answer, Call, operation, paged
from app.sandbox.shapes import Json, moment

RATE_LIMIT_PER_HOUR = 5_000


def _app(call: Call) -> App:
    if call.caller.app is None:
        raise Refused(401, "A JSON web token could not be decoded")
    return call.caller.app


def _installation(call: Call) -> Installation:
    found = call.hub.state.installations.get(call.number("installation_id"))
    if found is None or found.app is not _app(call):
        raise not_found()
    return found


@operation("apps/get-authenticated", "GET", "/app", auth="app")
def get_app(call: Call) -> Answer:
    """The App itself."""
    app = _app(call)
    count = sum(installation.app is app for installation in call.hub.state.installations.values())
    return Answer(200, {**call.hub.shapes.app(app), "client_id": app.client_id, "installations_count": count})


@operation("apps/create-from-manifest", "POST", "/app-manifests/{code}/conversions", auth="any")
def convert_manifest(call: Call) -> Answer:
    """The credentials of an App that was created from a manifest: given out once, within an hour."""
    created = registering.convert(call.hub.state, call.params["code"])
    if created is None:
        raise not_found()
    app = created.app
    secrets = {"client_secret": app.client_secret, "webhook_secret": app.webhook_secret, "pem": created.private_key_pem}
    return Answer(201, {**call.hub.shapes.app(app), "client_id": app.client_id, **secrets})


@operation("apps/list-installations", "GET", "/app/installations", auth="app")
def list_installations(call: Call) -> Answer:
    """Where the App is installed."""
    own = [known for known in call.hub.state.installations.values() if known.app is _app(call)]
    return paged(call, own, call.hub.shapes.installation)


@operation("apps/get-installation", "GET", "/app/installations/{installation_id}", auth="app")
def get_installation(call: Call) -> Answer:
    """One installation."""
    return Answer(200, call.hub.shapes.installation(_installation(call)))


@operation("apps/get-repo-installation", "GET", "/repos/{owner}/{repo}/installation", auth="app")
def repository_installation(call: Call) -> Answer:
    """The App's installation that sees a repository."""
    app = _app(call)
    for installation in call.hub.state.installations_of(call.repository):
        if installation.app is app:
            return Answer(200, call.hub.shapes.installation(installation))
    raise not_found()


@operation(
    "apps/create-installation-access-token", "POST", "/app/installations/{installation_id}/access_tokens", auth="app"
)
def create_token(call: Call) -> Answer:
    """A token of one hour, narrowed to the permissions and repositories that were asked for."""
    installation = _installation(call)
    permissions = call.body.get("permissions")
    repositories = _narrowed(call, installation)
    token = issue_token(call.hub.state, installation, permissions=permissions, repositories=repositories)
    expires_at = moment(token.expires_at) if token.expires_at else None
    shape: Json = {
        "token": token.value,
        "expires_at": expires_at,
        "permissions": dict(token.permissions or installation.permissions),
        "repository_selection": "all" if installation.repositories is None and repositories is None else "selected",
    }
    if repositories is not None:
        seen = call.hub.state.repositories
        shape["repositories"] = [call.hub.shapes.repository(seen[number]) for number in sorted(repositories)]
    return Answer(201, shape)


def _narrowed(call: Call, installation: Installation) -> frozenset[int] | None:
    ids, names = call.body.get("repository_ids"), call.body.get("repositories")
    if ids is None and names is None:
        return None
    wanted = set(ids or [])
    by_name = {repository.name.lower(): repository.id for repository in visible(call.hub.state, installation)}
    for name in names or []:
        wanted.add(by_name.get(str(name).lower(), 0))
    return frozenset(wanted)


@operation("apps/list-repos-accessible-to-installation", "GET", "/installation/repositories")
def installation_repositories(call: Call) -> Answer:
    """What an installation token sees."""
    installation = call.caller.installation
    if installation is None:
        raise Refused(403, "You must authenticate with an installation access token in order to list repositories.")
    seen = [
        repository
        for repository in visible(call.hub.state, installation)
        if access.covers(call.hub.state, call.caller, repository)
    ]
    return paged(call, seen, call.hub.shapes.repository, wrap="repositories")


@operation("apps/revoke-installation-access-token", "DELETE", "/installation/token")
def revoke_token(call: Call) -> Answer:
    """Ends the token that the request carries."""
    if call.caller.token is None or call.caller.installation is None:
        raise Refused(401, "Requires authentication")
    call.caller.token.revoked = True
    return Answer(204)


@operation("apps/get-webhook-config-for-app", "GET", "/app/hook/config", auth="app")
def hook_config(call: Call) -> Answer:
    """Where the App's webhooks go."""
    app = _app(call)
    config: Json = {"content_type": "json", "insecure_ssl": "0", "url": app.webhook_url or ""}
    return Answer(200, {**config, "secret": "********"} if app.webhook_secret else config)


@operation("apps/update-webhook-config-for-app", "PATCH", "/app/hook/config", auth="app")
def set_hook_config(call: Call) -> Answer:
    """Sends the App's webhooks elsewhere, or signs them with another secret."""
    app = _app(call)
    app.webhook_url = call.body.get("url", app.webhook_url)
    app.webhook_secret = call.body.get("secret", app.webhook_secret)
    return hook_config(call)


@operation("apps/list-webhook-deliveries", "GET", "/app/hook/deliveries", auth="app")
def list_deliveries(call: Call) -> Answer:
    """The App's deliveries, newest first; `status` keeps the failed or the successful ones."""
    own = [known for known in reversed(call.hub.state.deliveries.values()) if known.app is _app(call)]
    sent = [known for known in own if known.delivered_at is not None]
    match call.query.get("status"):
        case "success":
            sent = [known for known in sent if known.succeeded]
        case "failure":
            sent = [known for known in sent if not known.succeeded]
    return _by_cursor(call, sent)


def _by_cursor(call: Call, sent: list[Delivery]) -> Answer:
    size = min(int(call.query.get("per_page", "30")), 100)
    cursor = call.query.get("cursor")
    if cursor is not None:
        try:
            before = int(cursor.removeprefix("v1_"))
        except ValueError:
            raise Refused(422, "Invalid cursor") from None
        sent = [known for known in sent if known.id < before]
    page, rest = sent[:size], sent[size:]
    headers = {}
    if rest:
        url = f"{call.hub.urls.api}/app/hook/deliveries?per_page={size}&cursor=v1_{page[-1].id}"
        headers["Link"] = f'<{url}>; rel="next"'
    return Answer(200, [call.hub.shapes.delivery_item(known) for known in page], headers)


def _delivery(call: Call) -> Delivery:
    found = call.hub.state.deliveries.get(call.number("delivery_id"))
    if found is None or found.app is not _app(call) or found.delivered_at is None:
        raise not_found()
    return found


@operation("apps/get-webhook-delivery", "GET", "/app/hook/deliveries/{delivery_id}", auth="app")
def get_delivery(call: Call) -> Answer:
    """One delivery with what was sent and what came back."""
    delivery = _delivery(call)
    shape = call.hub.shapes.delivery_item(delivery)
    shape["url"] = _app(call).webhook_url or ""
    shape["request"] = {"headers": delivery.headers, "payload": json.loads(delivery.body)}
    shape["response"] = {"headers": delivery.response_headers, "payload": delivery.response_body}
    return Answer(200, shape)


@operation("apps/redeliver-webhook-delivery", "POST", "/app/hook/deliveries/{delivery_id}/attempts", auth="app")
def redeliver(call: Call) -> Answer:
    """Sends a delivery again, soon, under its old GUID."""
    call.hub.webhooks.send_later([call.hub.webhooks.again(_delivery(call))])
    return Answer(202, {})


@operation("meta/get", "GET", "/meta", auth="any")
def meta(call: Call) -> Answer:
    """What this server says about itself."""
    return Answer(200, {"verifiable_password_authentication": False, "web": [call.hub.urls.server]})


@operation("users/get-authenticated", "GET", "/user")
def current_user(call: Call) -> Answer:
    """The person whose token it is; an installation is none."""
    if call.caller.token is None:
        raise Refused(401, "Requires authentication")
    if call.caller.installation is not None or call.user is None:
        raise Refused(403, "Resource not accessible by integration")
    return Answer(200, call.hub.shapes.private_user(call.user))


@operation("users/get-by-username", "GET", "/users/{username}", auth="any")
def user(call: Call) -> Answer:
    """Someone's public profile."""
    found = call.hub.state.accounts.get(call.params["username"].lower())
    if found is None:
        raise not_found()
    return Answer(200, call.hub.shapes.public_user(found))


def role_of(call: Call, repository: Repository) -> Role:
    """What the caller may do in a repository, as its `permissions` member tells."""
    if call.caller.installation is not None:
        covered = access.covers(call.hub.state, call.caller, repository)
        return Role.WRITE if covered and access.may(call.caller, "contents", "write") else Role.READ
    return call.hub.state.role(repository, call.user) if call.user else Role.READ
