"""Conversations: issues, their comments, and reactions to anything."""

from __future__ import annotations

from app.sandbox import fields
from app.sandbox.pull_shapes import REACTIONS
from app.sandbox.records import Label, Reaction
from app.sandbox.refusals import not_found, validation
from app.sandbox.rest import Answer, Call, operation, paged
from app.sandbox.reviews import MAX_BODY_CHARACTERS, TOO_LONG, writer

READ = ["issues=read", "pull_requests=read"]
WRITE = ["issues=write", "pull_requests=write"]
ISSUE = "/repos/{owner}/{repo}/issues/{number}"
COMMENT = "/repos/{owner}/{repo}/issues/comments/{comment_id}"
REVIEW_COMMENT = "/repos/{owner}/{repo}/pulls/comments/{comment_id}"


@operation("issues/get", "GET", ISSUE, needs=READ)
def get_issue(call: Call) -> Answer:
    """One issue or pull."""
    return Answer(200, call.hub.shapes.issue(call.issue))


@operation("issues/list-comments", "GET", ISSUE + "/comments", needs=READ)
def list_comments(call: Call) -> Answer:
    """The conversation, oldest first."""
    return paged(call, call.issue.comments, call.hub.shapes.issue_comment)


@operation("issues/create-comment", "POST", ISSUE + "/comments", needs=WRITE)
def create_comment(call: Call) -> Answer:
    """A new comment; closed issues and pulls take comments too."""
    by, text = writer(call.caller), _comment_text(call)
    comment = call.hub.comment(call.issue, body=text, by=by, app=call.caller.writing_app)
    return Answer(201, call.hub.shapes.issue_comment(comment))


def _comment_text(call: Call) -> str:
    text = fields.text(call.body, "body")
    if not text.strip():
        raise validation("IssueComment", "body", "missing_field")
    if len(text) > MAX_BODY_CHARACTERS:
        raise validation("IssueComment", "data", "unprocessable", TOO_LONG)
    return text


@operation("issues/get-comment", "GET", COMMENT, needs=READ)
def get_comment(call: Call) -> Answer:
    """One comment."""
    return Answer(200, call.hub.shapes.issue_comment(call.issue_comment))


@operation("issues/update-comment", "PATCH", COMMENT, needs=WRITE)
def update_comment(call: Call) -> Answer:
    """New text for a comment."""
    comment = call.issue_comment
    call.hub.edit_comment(comment, body=_comment_text(call), by=writer(call.caller))
    return Answer(200, call.hub.shapes.issue_comment(comment))


@operation("issues/delete-comment", "DELETE", COMMENT, needs=WRITE)
def delete_comment(call: Call) -> Answer:
    """Takes a comment away."""
    call.hub.delete_comment(call.issue_comment, by=writer(call.caller))
    return Answer(204)


@operation("issues/list-labels-on-issue", "GET", ISSUE + "/labels", needs=READ)
def list_labels(call: Call) -> Answer:
    """An issue's labels."""
    return paged(call, call.issue.labels, lambda label: call.hub.shapes.label(call.repository, label))


@operation("issues/add-labels", "POST", ISSUE + "/labels", needs=WRITE)
def add_labels(call: Call) -> Answer:
    """Adds labels, making those that do not exist."""
    issue = call.issue
    for name in call.body.get("labels", []):
        label = call.repository.labels.setdefault(str(name), Label(call.hub.state.next_id(), str(name)))
        if label not in issue.labels:
            issue.labels.append(label)
    return Answer(200, [call.hub.shapes.label(call.repository, label) for label in issue.labels])


@operation("issues/remove-label", "DELETE", ISSUE + "/labels/{name}", needs=WRITE)
def remove_label(call: Call) -> Answer:
    """Takes a label off."""
    issue = call.issue
    kept = [label for label in issue.labels if label.name != call.params["name"]]
    if len(kept) == len(issue.labels):
        raise not_found()
    issue.labels[:] = kept
    return Answer(200, [call.hub.shapes.label(call.repository, label) for label in kept])


# Reactions need `issues` on issues and their comments, also where the issue is a pull; `pull_requests` is not enough.


@operation("reactions/list-for-issue", "GET", ISSUE + "/reactions", needs=["issues=read"])
def list_issue_reactions(call: Call) -> Answer:
    """The reactions to an issue."""
    return _list(call, call.issue.reactions)


@operation("reactions/create-for-issue", "POST", ISSUE + "/reactions", needs=["issues=write"])
def react_to_issue(call: Call) -> Answer:
    """A reaction to an issue."""
    return _react(call, call.issue.reactions)


@operation("reactions/delete-for-issue", "DELETE", ISSUE + "/reactions/{reaction_id}", needs=["issues=write"])
def unreact_to_issue(call: Call) -> Answer:
    """Takes a reaction back."""
    return _unreact(call, call.issue.reactions)


@operation("reactions/list-for-issue-comment", "GET", COMMENT + "/reactions", needs=["issues=read"])
def list_comment_reactions(call: Call) -> Answer:
    """The reactions to a comment."""
    return _list(call, call.issue_comment.reactions)


@operation("reactions/create-for-issue-comment", "POST", COMMENT + "/reactions", needs=["issues=write"])
def react_to_comment(call: Call) -> Answer:
    """A reaction to a comment."""
    return _react(call, call.issue_comment.reactions)


@operation("reactions/delete-for-issue-comment", "DELETE", COMMENT + "/reactions/{reaction_id}", needs=["issues=write"])
def unreact_to_comment(call: Call) -> Answer:
    """Takes a reaction back."""
    return _unreact(call, call.issue_comment.reactions)


@operation(
    "reactions/list-for-pull-request-review-comment", "GET", REVIEW_COMMENT + "/reactions", needs=["pull_requests=read"]
)
def list_review_comment_reactions(call: Call) -> Answer:
    """The reactions to a comment on a diff."""
    return _list(call, call.review_comment.reactions)


@operation(
    "reactions/create-for-pull-request-review-comment",
    "POST",
    REVIEW_COMMENT + "/reactions",
    needs=["pull_requests=write"],
)
def react_to_review_comment(call: Call) -> Answer:
    """A reaction to a comment on a diff."""
    return _react(call, call.review_comment.reactions)


@operation(
    "reactions/delete-for-pull-request-comment",
    "DELETE",
    REVIEW_COMMENT + "/reactions/{reaction_id}",
    needs=["pull_requests=write"],
)
def unreact_to_review_comment(call: Call) -> Answer:
    """Takes a reaction back."""
    return _unreact(call, call.review_comment.reactions)


def _list(call: Call, reactions: list[Reaction]) -> Answer:
    content = call.query.get("content")
    shown = [reaction for reaction in reactions if content in (None, reaction.content)]
    return paged(call, shown, call.hub.shapes.reaction)


def _react(call: Call, reactions: list[Reaction]) -> Answer:
    content = call.body.get("content")
    if content not in REACTIONS:
        raise validation("Reaction", "content", "invalid")
    reaction, new = call.hub.react(reactions, content=content, by=writer(call.caller))
    return Answer(201 if new else 200, call.hub.shapes.reaction(reaction))


def _unreact(call: Call, reactions: list[Reaction]) -> Answer:
    wanted = call.number("reaction_id")
    for reaction in reactions:
        if reaction.id == wanted and reaction.user is call.user:
            reactions.remove(reaction)
            return Answer(204)
    raise not_found()
