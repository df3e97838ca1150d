"""Rules `deploys`, `structured-logs`, `metrics`, `tracing`, `alerts`, `supply-chain`: what people on call meet."""

from __future__ import annotations

import re
from collections.abc import Iterable

from app.analysis import calls, needed, roles, where
from app.analysis.context import Candidate, FileContext, Match, enclosing_function
from app.analysis.refine import refines, searches
from app.analysis.roles import Role

_QUIET = frozenset((Role.TEST, Role.EXAMPLE))
_HEALTH = re.compile(r"/(?:health|healthz|live|livez|liveness|alive|ping)[\"'`]")
_UNBOUNDED = re.compile(
    r"(?:^|\.)(?:url|originalUrl|path|pathname|userId|user_id|email|ip|sessionId|requestId|request_id|orderId|stack|message|token|username)$|\.id$|\.(?:user|account)\.\w*[iI]d$"
)
_METRICS = frozenset(("prom-client", "@opentelemetry/api", "hot-shots", "node-statsd"))
_METRIC = re.compile(r"(?:[cC]ounter|[gG]auge|[hH]istogram|[mM]etrics?)\w*\.(?:labels|inc|add|record|observe|set)$")
_DESTROYS = (
    (
        "deletes whatever an empty variable leaves",
        ("-r", "-fr"),
        re.compile(r"\brm\s+-(?:rf|fr|r\s+-f)\s+[\"']?\$\{?\w+\}?[\"']?/(?:\s|\*|$)"),
    ),
    (
        "overwrites a shared branch",
        ("push",),
        re.compile(r"\bgit\s+push\s+(?:[^\n;&|]*\s)?(?:--force\b(?!-with-lease)|-f\b)"),
    ),
    (
        "destroys infrastructure without asking",
        ("destroy",),
        re.compile(r"\bterraform\s+destroy\b[^\n]*-auto-approve|\bpulumi\s+destroy\b[^\n]*(?:--yes|-y\b)"),
    ),
    (
        "deletes cluster objects",
        ("kubectl",),
        re.compile(r"\bkubectl\s+delete\s+(?:ns|namespace|pvc|pv|--all|\w+\s+--all)\b"),
    ),
    (
        "drops a database",
        ("drop",),
        re.compile(r"\bDROP\s+(?:DATABASE|SCHEMA)\b|\bdropdb\b|\bmongo\w*\b[^\n]*dropDatabase", re.IGNORECASE),
    ),
    (
        "accepts the loss of data",
        ("data-loss", "prisma"),
        re.compile(r"--accept-data-loss\b|\bprisma\s+migrate\s+reset\b"),
    ),
    (
        "empties a store",
        ("redis-cli", "aws"),
        re.compile(
            r"\bredis-cli\b[^\n]*\b(?:flushall|flushdb)\b|\baws\s+s3\s+(?:rb\s+[^\n]*--force|rm\s+[^\n]*--recursive)",
            re.IGNORECASE,
        ),
    ),
)
_NPM_INSTALL = re.compile(
    r"^(?:\s*(?:-\s+)?run:\s*(?:\|\s*\n\s*)?|RUN\s+(?:[^\n#]*&&\s*)?|\s*-\s+)"
    r"(?P<install>npm (?:install|i)(?=\s*(?:$|&&|;|--(?:omit|production|only|no-audit)))[^\n&]*)",
    re.MULTILINE,
)
"""What a command does, words one of which it needs (in small letters), and how it is written."""
_IMAGE_FILES = re.compile(r"(?:^|/)(?:Dockerfile|Containerfile)[^/]*$")
_WORKFLOWS = re.compile(r"(?:^|/)\.github/(?:workflows|actions)/.+\.ya?ml$")
_SHELL_FILES = re.compile(r"\.(?:sh|bash|zsh|ya?ml)$|(?:^|/)(?:Dockerfile[\w.-]*|Makefile|Procfile|package\.json)$")


@refines("deploys.exit-on-signal", where=where.outside((*_QUIET, Role.SCRIPT, Role.CLIENT)))
def exit_on_signal(candidate: Candidate) -> Match | None:
    """`process.on("SIGTERM", () => process.exit())`: what is under way is cut off."""
    given = calls.arguments(candidate.node)
    if len(given) != 2 or calls.literal_text(given[0]) != "SIGTERM":
        return None
    handler = given[1].text()
    if "process.exit(" not in handler or re.search(
        r"close|end\(|stop|shutdown|drain|disconnect|destroy|quit|await|await|flush|clean|kill|abort|terminate|dispose|then\(",
        handler,
        re.IGNORECASE,
    ):
        return None
    return candidate.match(
        captures={"signal": calls.literal_text(given[0]) or "SIGTERM"},
        note="requests and jobs under way are cut off",
        why_no_patch="what has to be closed, and in which order, is this service's knowledge",
    )


@refines("deploys.no-shutdown", where=where.only(Role.SERVER))
def no_shutdown(candidate: Candidate) -> Match | None:
    """A server that listens, in a file that hears no signal."""
    text = candidate.file.text
    if re.search(r"SIGTERM|SIGINT|enableShutdownHooks|terminus|close-with-grace|graceful", text):
        return None
    if not re.search(r"createServer\(|express\(\)|fastify\(|new Koa\(|NestFactory", text, re.IGNORECASE):
        return None
    return candidate.match(note="this file starts a server and hears no SIGTERM: a release cuts off what is under way")


@refines("deploys.health-asks", where=where.served, shows=where.holds(_HEALTH))
def health_asks(candidate: Candidate) -> Match | None:
    """A health route that asks a dependency."""
    given = calls.arguments(candidate.node)
    path = (calls.literal_text(given[0]) or "") if given else ""
    if len(given) < 2 or not re.search(r"/(?:health|healthz|live|livez|liveness|alive|ping)$", path):
        return None
    if not re.search(
        r"\.(?:query|ping|authenticate|findOne|\$queryRaw|get|execute|raw)\(|fetch\(|axios", given[-1].text()
    ):
        return None
    return candidate.match(
        captures={"path": path}, note=f"`{path}` asks a dependency; when that is down, every instance is restarted"
    )


@searches("deploys.destructive-command", where=where.named(_SHELL_FILES))
def destructive_command(file: FileContext) -> Iterable[Match]:
    """A command in a script, an image or a pipeline that deletes data without a question."""
    if file.role in _QUIET:
        return
    small = file.text.lower()
    for what, words, pattern in _DESTROYS:
        for found in pattern.finditer(file.text) if any(word in small for word in words) else ():
            line = file.lines[file.line_of(found.start()) - 1]
            if not re.match(r"\s*(?:#|//|\*)", line):
                yield Match(
                    found.start(),
                    found.end(),
                    captures={"what": what},
                    note=f"this {what}, with no dry run, question or backup in sight",
                )


@searches("deploys.image-as-root", where=where.named(_IMAGE_FILES))
def image_as_root(file: FileContext) -> Iterable[Match]:
    """An image whose last stage names no user."""
    if file.role in _QUIET:
        return
    stages = list(re.finditer(r"^FROM\s+\S+", file.text, re.MULTILINE | re.IGNORECASE))
    if not stages:
        return
    last = stages[-1]
    rest = file.text[last.start() :]
    if re.search(r"^USER\s", rest, re.MULTILINE | re.IGNORECASE) or re.search(
        r"nonroot|rootless|unprivileged|distroless", last[0]
    ):
        return
    if re.search(r"^(?:CMD|ENTRYPOINT)\b", rest, re.MULTILINE | re.IGNORECASE):
        yield Match(last.start(), last.end(), note="the program of this image runs as root")


@searches("deploys.started-by-npm", where=where.named(_IMAGE_FILES))
def started_by_npm(file: FileContext) -> Iterable[Match]:
    """An image that starts its program through a package manager or a shell."""
    for found in re.finditer(
        r"^(?:CMD|ENTRYPOINT)\s+(?:\[\s*\"(?:npm|yarn|pnpm)\"|(?:npm|yarn|pnpm)\s)[^\n]*", file.text, re.MULTILINE
    ):
        yield Match(found.start(), found.end(), note="the package manager stands between the signal and the program")


_OFFICIAL = frozenset((
    "alpine", "amazonlinux", "busybox", "caddy", "centos", "debian", "docker", "eclipse-temurin", "fedora", "gcc", "golang",
    "haproxy", "httpd", "mariadb", "memcached", "mongo", "mysql", "nginx", "node", "openjdk", "php", "postgres", "python",
    "rabbitmq", "redis", "ruby", "rust", "traefik", "ubuntu",
))  # fmt: skip
"""What a name without a registry and a tag can mean; any other is a stage that the build itself names."""
_NAMES_ITS_VERSION = re.compile(r"/distroless/[\w-]*\d")
"""A repository for each version, whose one tag brings repairs only."""


@searches("supply-chain.moving-image", where=where.named(_IMAGE_FILES))
def moving_image(file: FileContext) -> Iterable[Match]:
    """`FROM image` with `latest`, or with no tag at all; of several stages on one image the first."""
    if file.role in _QUIET or roles.is_for_developers(file.path) or "compose" in file.path.rpartition("/")[2]:
        return
    told: set[str] = set()
    stages = {one.lower() for one in re.findall(r"^FROM\s[^\n]*\sAS\s+(\S+)", file.text, re.MULTILINE | re.IGNORECASE)}
    for found in re.finditer(r"^FROM\s+(?:--platform=\S+\s+)?(?P<image>\S+)", file.text, re.MULTILINE | re.IGNORECASE):
        image = found["image"]
        tag = image.rpartition("/")[2].partition(":")[2]
        if image.lower() in stages or image == "scratch" or "@" in image or "$" in image or tag not in ("", "latest"):
            continue
        is_known = bool(tag) or "/" in image or image.lower() in _OFFICIAL
        if image in told or not is_known or _NAMES_ITS_VERSION.search(image) or _only_starts(image, tag, file.text):
            continue
        told.add(image)
        yield Match(
            found.start(),
            found.end(),
            captures={"image": image},
            note=f"`{image}` is another image tomorrow",
            why_no_patch="which version this project was tested with is not in the file",
        )


def _only_starts(image: str, tag: str, text: str) -> bool:
    """Whether nothing is built: the file shows how an image, mostly the project's own, is started."""
    return bool(tag) and "/" in image and re.search(r"^(?:RUN|COPY|ADD)\s", text, re.MULTILINE | re.IGNORECASE) is None


@searches("supply-chain.moving-action", where=where.named(_WORKFLOWS))
def moving_action(file: FileContext) -> Iterable[Match]:
    """An action of somebody else's that a workflow uses by the name of a branch."""
    for found in re.finditer(
        r"^\s*(?:-\s+)?uses:\s*[\"']?(?P<action>[\w.-]+/[\w./-]+)@(?P<branch>main|master|develop|dev|HEAD|latest|trunk|canary|next)\b",
        file.text,
        re.MULTILINE,
    ):
        if _is_of_the_same_owner(found["action"], file.text):
            continue
        yield Match(
            found.start("action"),
            found.end("branch"),
            captures={"action": found["action"], "branch": found["branch"]},
            note=f"whatever stands on `{found['branch']}` of `{found['action']}` runs with this workflow's token and secrets",
            why_no_patch="the commit that was looked at is not in the file",
        )


def _is_of_the_same_owner(action: str, text: str) -> bool:
    """Whether the repository's owner seems to own the action: it is a whole workflow, or the file names them elsewhere."""
    owner = re.escape(action.partition("/")[0])
    if "/.github/" in action:
        return True
    return re.search(rf"(?:repository(?:_owner)?\s*[=!]=\s*[\"']|ghcr\.io/){owner}\b", text, re.IGNORECASE) is not None


@searches("supply-chain.piped-to-shell", where=where.named(_SHELL_FILES))
def piped_to_shell(file: FileContext) -> Iterable[Match]:
    """A download that is run as it comes."""
    if file.role in _QUIET:
        return
    for found in re.finditer(
        r"\b(?:curl|wget)\b[^\n|;&]{0,200}https?://[^\n|;&]{0,200}\|\s*(?:sudo\s+)?(?:-E\s+)?(?:ba|z|da)?sh\b",
        file.text,
    ):
        line = file.lines[file.line_of(found.start()) - 1]
        if not re.match(r"\s*#", line):
            yield Match(
                found.start(), found.end(), note="what the other side serves at that moment is run, unseen and unpinned"
            )


@searches("supply-chain.floating-install")
def floating_install(file: FileContext) -> Iterable[Match]:
    """`npm install` in an image or a pipeline, where `npm ci` keeps to the lock file."""
    if file.role in _QUIET or not re.search(
        r"(?:^|/)(?:Dockerfile[\w.-]*|\.github/workflows/[^/]+\.ya?ml|\.gitlab-ci\.yml)$", file.path
    ):
        return
    for found in _NPM_INSTALL.finditer(file.text):
        yield Match(
            found.start("install"),
            found.end("install"),
            note="`npm install` may take other versions than the lock file names",
        )


@refines("structured-logs.console", where=where.only(Role.SERVER))
def console(candidate: Candidate) -> Match | None:
    """`console.*` in a service's code."""
    if enclosing_function(candidate.node) is None:
        return None
    if re.search(r"listening|started|running on|ready", candidate.node.text(), re.IGNORECASE):
        return None
    return candidate.match(
        captures={"call": calls.callee(candidate.node)},
        note=f"`{calls.callee(candidate.node)}` writes a line without level, ids or fields",
    )


@refines(
    "metrics.unbounded-label", where=where.outside(_QUIET), needs=(needed.imports(_METRICS) | needed.names(_METRIC),)
)
def unbounded_label(candidate: Candidate) -> Match | None:
    """A label whose values nobody can count: a path as it came, an id, an address."""
    given, name = calls.arguments(candidate.node), calls.callee(candidate.node)
    if not given or not _is_metric(candidate, name):
        return None
    for argument in given:
        values = [argument] if argument.kind() == "member_expression" else []
        if argument.kind() == "object":
            values = [
                value
                for pair in argument.children()
                if pair.kind() == "pair" and (value := pair.field("value")) is not None
            ]
        for value in values:
            if (
                _UNBOUNDED.search(value.text())
                and ".route" not in value.text()
                and re.match(r"(?:req|request|ctx|user|event|job|order|err|error|session|this\.user)\b", value.text())
            ):
                return candidate.match(
                    captures={"value": value.text(), "call": name},
                    note=f"each new `{value.text()}` makes another series, for as long as the store keeps them",
                    why_no_patch="the bounded name for it (the route's pattern, a class of error) depends on the framework",
                )
    return None


@refines("tracing.span-never-ended", where=where.outside(_QUIET))
def span_never_ended(candidate: Candidate) -> Match | None:
    """A span that its function neither ends nor hands on."""
    name, value, function = (
        candidate.node.field("name"),
        candidate.node.field("value"),
        enclosing_function(candidate.node),
    )
    if name is None or value is None or function is None or name.kind() != "identifier":
        return None
    if value.kind() != "call_expression" or not re.search(r"[tT]racer\w*(?:\(\))?\.startSpan$", calls.callee(value)):
        return None
    word = re.escape(name.text())
    rest = function.text()[candidate.node.range().end.index - function.range().start.index :]
    if re.search(
        rf"\b{word}\??\.(?:end|finish)\b|\breturn\b[^;\n]*\b{word}\b(?!\.)|=\s*{word}\b(?!\.)|[(,{{[]\s*{word}\s*[,)}}\]]",
        rest,
    ):
        return None
    return candidate.match(
        captures={"span": name.text()},
        note=f"`{name.text()}` is never ended, so it is never sent",
        why_no_patch="the lines up to the span's end have to move into a `try` whose `finally` ends it",
    )


@searches("alerts.incomplete")
def incomplete_alert(file: FileContext) -> Iterable[Match]:
    """An alert rule of Prometheus without a runbook, or without a time that it has to hold."""
    if not file.path.endswith((".yml", ".yaml")) or "expr:" not in file.text:
        return
    starts = list(re.finditer(r"^(?P<indent>[ ]*)-\s+alert:\s*(?P<name>[^\n]+)", file.text, re.MULTILINE))
    for position, found in enumerate(starts):
        end = starts[position + 1].start() if position + 1 < len(starts) else len(file.text)
        block = file.text[found.start() : end]
        lacks = [
            what
            for what, has in (
                ("a runbook", "runbook"),
                ("a time for which it has to hold (`for`)", "for:"),
                ("a severity", "severity"),
            )
            if has not in block
        ]
        if lacks:
            yield Match(
                found.start("name"),
                found.end("name"),
                captures={"alert": found["name"].strip()},
                note=f"the alert has no {lacks[0].removeprefix('a ')}",
            )


def _is_metric(candidate: Candidate, name: str) -> bool:
    verb = name.rpartition(".")[2]
    modules = candidate.file.imports.values()
    if _METRICS.isdisjoint(modules) and not _METRIC.search(name):
        return False
    return verb in ("labels", "inc", "add", "record", "observe", "set", "startTimer")
