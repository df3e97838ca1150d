"""Check runs and commit statuses under GitHub's rules: who may write them and how much text they hold."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from app.sandbox import fields
from app.sandbox.access import Caller
from app.sandbox.fields import Body
from app.sandbox.hub import Hub
from app.sandbox.records import Annotation, App, CheckRun, CheckSuite, Repository, Status
from app.sandbox.refusals import Refused, forbidden, invalid_request, validation
from app.sandbox.reviews import writer

MAX_TEXT_CHARACTERS = 65_535
MAX_ANNOTATIONS_PER_REQUEST = 50
MAX_ANNOTATION_MESSAGE_BYTES = 64 * 1024
MAX_ANNOTATION_TITLE_CHARACTERS = 255
MAX_ACTIONS = 3
ACTION_LIMITS = {"label": 20, "description": 40, "identifier": 20}
MAX_STATUSES_PER_CONTEXT = 1_000
MAX_STATUS_DESCRIPTION_CHARACTERS = 140

STATUSES = ("queued", "in_progress", "completed")
CONCLUSIONS = ("action_required", "cancelled", "failure", "neutral", "success", "skipped", "timed_out")
LEVELS = ("notice", "warning", "failure")
STATES = ("error", "failure", "pending", "success")


def create(hub: Hub, repository: Repository, body: Body, *, caller: Caller) -> CheckRun:
    """A new check run on a commit.

    Raises:
        Refused: 403 for anyone but an App; 422 for texts too long, too many annotations, an unknown commit.

    """
    app = _app(caller)
    name, sha = fields.text(body, "name"), fields.text(body, "head_sha")
    if repository.git.resolve(sha) != sha:
        raise Refused(422, f"No commit found for SHA: {sha}")
    suite = _suite(hub, repository, app, sha)
    run = CheckRun(hub.state.next_id(), suite, name, "queued", hub.state.now())
    _apply(hub, run, body)
    repository.check_runs.append(run)
    hub.emit(hub.events.check_run("created", run, app.bot))
    if run.status == "completed":
        hub.emit(hub.events.check_run("completed", run, app.bot))
    return run


def update(hub: Hub, run: CheckRun, body: Body, *, caller: Caller) -> CheckRun:
    """The run with what was sent changed; annotations are added to those that stand."""
    app = _app(caller)
    if run.suite.app is not app:
        owner = "check run can only be modified by the GitHub App that created it."
        raise forbidden(f"Invalid app_id `{app.id}` - {owner}")
    before = run.status
    _apply(hub, run, body)
    if run.status == "completed" and before != "completed":
        hub.emit(hub.events.check_run("completed", run, app.bot))
    return run


def _app(caller: Caller) -> App:
    if caller.writing_app is None:
        raise forbidden("You must authenticate via a GitHub App.")
    return caller.writing_app


def _suite(hub: Hub, repository: Repository, app: App, sha: str) -> CheckSuite:
    for suite in repository.suites:
        if suite.app is app and suite.head_sha == sha:
            return suite
    suite = CheckSuite(hub.state.next_id(), repository, app, sha, hub.state.now())
    repository.suites.append(suite)
    return suite


def _apply(hub: Hub, run: CheckRun, body: Body) -> None:
    """Reads everything first and changes the run only then, so that a refused request changes nothing."""
    status = fields.choice(body, "status", STATUSES)
    conclusion = fields.choice(body, "conclusion", CONCLUSIONS)
    if status == "completed" and conclusion is None and run.conclusion is None:
        raise invalid_request('"conclusion" wasn\'t supplied.')
    completed_at = _moment(body, "completed_at")
    started_at = _moment(body, "started_at")
    details_url = fields.optional_text(body, "details_url")
    external_id = fields.optional_text(body, "external_id")
    name = fields.optional_text(body, "name")
    output = fields.optional_object(body, "output")
    texts, annotations = _output(output)
    _check_actions(fields.objects(body, "actions"))

    run.name = name or run.name
    run.details_url = details_url if details_url is not None else run.details_url
    run.external_id = external_id if external_id is not None else run.external_id
    run.started_at = started_at or run.started_at
    if conclusion is not None:
        run.status, run.conclusion = "completed", conclusion
        run.completed_at = completed_at or hub.state.now()
    elif status is not None:
        run.status = status
        if status != "completed":
            run.conclusion = run.completed_at = None
    for field, text in texts.items():
        setattr(run.output, field, text)
    run.output.annotations += annotations


def _output(output: Body | None) -> tuple[dict[str, str], list[Annotation]]:
    if output is None:
        return {}, []
    names = ("title", "summary", "text")
    texts = {name: fields.limited_text(output, name, MAX_TEXT_CHARACTERS) for name in names}
    if texts["summary"] is None:
        raise invalid_request('"summary" wasn\'t supplied.')
    annotations = fields.objects(output, "annotations")
    if len(annotations) > MAX_ANNOTATIONS_PER_REQUEST:
        supplied = f"{len(annotations)} were supplied."
        raise invalid_request(f"No more than {MAX_ANNOTATIONS_PER_REQUEST} items are allowed; {supplied}")
    return {name: text for name, text in texts.items() if text is not None}, [_annotation(item) for item in annotations]


def _annotation(item: Body) -> Annotation:
    annotation = Annotation(
        path=fields.text(item, "path"),
        start_line=fields.number(item, "start_line"),
        end_line=fields.number(item, "end_line"),
        annotation_level=fields.choice(item, "annotation_level", LEVELS) or fields.text(item, "annotation_level"),
        message=fields.text(item, "message"),
        start_column=fields.optional_number(item, "start_column"),
        end_column=fields.optional_number(item, "end_column"),
        title=fields.limited_text(item, "title", MAX_ANNOTATION_TITLE_CHARACTERS),
        raw_details=fields.optional_text(item, "raw_details"),
    )
    for text in (annotation.message, annotation.raw_details or ""):
        if len(text.encode()) > MAX_ANNOTATION_MESSAGE_BYTES:
            raise invalid_request(f"Only {MAX_ANNOTATION_MESSAGE_BYTES} bytes are allowed in an annotation.")
    columns = annotation.start_column is not None or annotation.end_column is not None
    if not 0 < annotation.start_line <= annotation.end_line:
        raise invalid_request("An annotation's end_line must not come before its start_line.")
    if columns and annotation.start_line != annotation.end_line:
        raise invalid_request("Columns are only allowed where start_line and end_line are the same.")
    return annotation


def _check_actions(actions: Sequence[Body]) -> None:
    if len(actions) > MAX_ACTIONS:
        raise invalid_request(f"No more than {MAX_ACTIONS} items are allowed; {len(actions)} were supplied.")
    for action in actions:
        for name, limit in ACTION_LIMITS.items():
            fields.text(action, name)
            fields.limited_text(action, name, limit)


def _moment(body: Body, name: str) -> datetime | None:
    text = fields.optional_text(body, name)
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise invalid_request(f'For "properties/{name}", {text[:40]} is not a valid date-time.') from None


def set_status(hub: Hub, repository: Repository, sha: str, body: Body, *, caller: Caller) -> Status:
    """A new commit status; the newest of a context counts."""
    user = writer(caller)
    state = fields.choice(body, "state", STATES) or fields.text(body, "state")
    context = fields.optional_text(body, "context") or "default"
    description = fields.optional_text(body, "description")
    if description is not None and len(description) > MAX_STATUS_DESCRIPTION_CHARACTERS:
        reason = f"description is too long (maximum is {MAX_STATUS_DESCRIPTION_CHARACTERS} characters)"
        raise validation("Status", "description", "custom", reason)
    if repository.git.resolve(sha) != sha:
        raise Refused(422, f"No commit found for SHA: {sha}")
    earlier = sum(status.sha == sha and status.context == context for status in repository.statuses)
    if earlier >= MAX_STATUSES_PER_CONTEXT:
        reason = f"This SHA and context has reached the maximum number of statuses: {MAX_STATUSES_PER_CONTEXT}."
        raise validation("Status", "base", "custom", reason)
    target = fields.optional_text(body, "target_url")
    status = Status(hub.state.next_id(), sha, state, context, description, target, user, hub.state.now())
    repository.statuses.append(status)
    return status
