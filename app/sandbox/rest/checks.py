"""Check runs and commit statuses."""

from __future__ import annotations

from app.sandbox import checks
from app.sandbox.records import CheckRun, Status
from app.sandbox.refusals import Refused, not_found
from app.sandbox.rest import Answer, Call, operation, paged

READ = ["checks=read"]
WRITE = ["checks=write"]
RUN = "/repos/{owner}/{repo}/check-runs/{check_run_id}"


def _run(call: Call) -> CheckRun:
    wanted = call.number("check_run_id")
    for run in call.repository.check_runs:
        if run.id == wanted:
            return run
    raise not_found()


def _sha(call: Call) -> str:
    found = call.repository.git.resolve(call.params["ref"])
    if found is None:
        raise Refused(422, f"No commit found for SHA: {call.params['ref']}")
    return found


@operation("checks/create", "POST", "/repos/{owner}/{repo}/check-runs", needs=WRITE)
def create_check_run(call: Call) -> Answer:
    """A new check run."""
    return Answer(
        201, call.hub.shapes.check_run(checks.create(call.hub, call.repository, call.body, caller=call.caller))
    )


@operation("checks/get", "GET", RUN, needs=READ)
def get_check_run(call: Call) -> Answer:
    """One check run."""
    return Answer(200, call.hub.shapes.check_run(_run(call)))


@operation("checks/update", "PATCH", RUN, needs=WRITE)
def update_check_run(call: Call) -> Answer:
    """Changes a check run of one's own and adds annotations to it."""
    return Answer(200, call.hub.shapes.check_run(checks.update(call.hub, _run(call), call.body, caller=call.caller)))


@operation("checks/list-annotations", "GET", RUN + "/annotations", needs=READ)
def list_annotations(call: Call) -> Answer:
    """A check run's annotations."""
    run = _run(call)
    return paged(call, run.annotations, lambda annotation: call.hub.shapes.annotation(run, annotation))


@operation("checks/list-for-ref", "GET", "/repos/{owner}/{repo}/commits/{ref}/check-runs", needs=READ)
def list_check_runs(call: Call) -> Answer:
    """The check runs of a commit; by default only the latest of each name and App."""
    sha, name = _sha(call), call.query.get("check_name")
    status, app_id = call.query.get("status"), call.query.get("app_id")
    runs = [
        run
        for run in call.repository.check_runs
        if run.head_sha == sha
        and name in (None, run.name)
        and status in (None, run.status)
        and app_id in (None, str(run.suite.app.id))
    ]
    if call.query.get("filter", "latest") == "latest":
        runs = list({(run.suite.app.id, run.name): run for run in runs}.values())
    return paged(call, runs, call.hub.shapes.check_run, wrap="check_runs")


@operation("repos/create-commit-status", "POST", "/repos/{owner}/{repo}/statuses/{sha}", needs=["statuses=write"])
def create_status(call: Call) -> Answer:
    """A new commit status."""
    status = checks.set_status(call.hub, call.repository, call.params["sha"], call.body, caller=call.caller)
    return Answer(201, call.hub.shapes.status(call.repository, status))


@operation(
    "repos/list-commit-statuses-for-ref", "GET", "/repos/{owner}/{repo}/commits/{ref}/statuses", needs=["statuses=read"]
)
def list_statuses(call: Call) -> Answer:
    """The statuses of a commit, newest first."""
    return paged(call, _statuses(call), lambda status: call.hub.shapes.status(call.repository, status))


def _statuses(call: Call) -> list[Status]:
    sha = _sha(call)
    return [status for status in reversed(call.repository.statuses) if status.sha == sha]


@operation(
    "repos/get-combined-status-for-ref", "GET", "/repos/{owner}/{repo}/commits/{ref}/status", needs=["statuses=read"]
)
def combined_status(call: Call) -> Answer:
    """The newest status of each context, and what they come to."""
    newest: dict[str, Status] = {}
    for status in _statuses(call):
        newest.setdefault(status.context, status)
    states = {status.state for status in newest.values()}
    state = "failure" if states & {"error", "failure"} else "success" if states == {"success"} else "pending"
    sha = _sha(call)
    api = call.hub.urls.repository(call.repository)
    shapes = call.hub.shapes
    shape = {
        "state": state,
        "statuses": [
            {key: value for key, value in shapes.status(call.repository, status).items() if key != "creator"}
            for status in newest.values()
        ],
        "sha": sha,
        "total_count": len(newest),
        "repository": shapes.repository(call.repository),
        "commit_url": f"{api}/commits/{sha}",
        "url": f"{api}/commits/{sha}/status",
    }
    return Answer(200, shape)
