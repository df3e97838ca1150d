"""Pulls: listing and reading them, their files, commits, reviews and comments on the diff."""

from __future__ import annotations

from app.sandbox import fields, reviews
from app.sandbox.records import Pull, Review, ReviewComment, ReviewState
from app.sandbox.refusals import Refused, validation
from app.sandbox.repository import ChangedFile
from app.sandbox.rest import Answer, Call, operation, paged
from app.sandbox.rest.repositories import MAX_COMPARED_COMMITS, diff_answer, file_shapes

MAX_LISTED_FILES = 3_000
READ = ["pull_requests=read"]
WRITE = ["pull_requests=write"]
PULL = "/repos/{owner}/{repo}/pulls/{number}"
COMMENT = "/repos/{owner}/{repo}/pulls/comments/{comment_id}"
REVIEW = PULL + "/reviews/{review_id}"


@operation("pulls/list", "GET", "/repos/{owner}/{repo}/pulls", needs=READ)
def list_pulls(call: Call) -> Answer:
    """The pulls in a state, newest first unless sorted otherwise; `head` and `base` keep those of a branch."""
    state, head, base = call.query.get("state", "open"), call.query.get("head"), call.query.get("base")
    if state not in {"open", "closed", "all"}:
        raise validation("PullRequest", "state", "invalid")

    def wanted(pull: Pull) -> bool:
        label = f"{pull.head_owner.login}:{pull.head_ref}" if pull.head_owner else None
        in_state = state in ("all", pull.state)
        return in_state and (not head or label == head) and (not base or pull.base_ref == base)

    by_update = call.query.get("sort") == "updated"
    pulls = sorted(
        filter(wanted, call.repository.pulls),
        key=lambda pull: (pull.updated_at if by_update else pull.created_at, pull.number),
        reverse=call.query.get("direction", "desc") == "desc",
    )
    return paged(call, pulls, call.hub.shapes.simple_pull)


@operation("pulls/get", "GET", PULL, needs=READ)
def get_pull(call: Call) -> Answer:
    """One pull, or its diff where that media type is asked for."""
    pull = call.pull
    if call.wants("diff"):
        return diff_answer(pull.repository.git, call.hub.merge_base(pull), pull.head_sha)
    return Answer(200, call.hub.shapes.pull(pull, call.hub.size(pull)))


@operation("pulls/update", "PATCH", PULL, needs=WRITE)
def update_pull(call: Call) -> Answer:
    """Changes a pull's texts, base or state."""
    pull, by = call.pull, reviews.writer(call.caller)
    title, body = fields.optional_text(call.body, "title"), fields.optional_text(call.body, "body")
    base, state = fields.optional_text(call.body, "base"), fields.choice(call.body, "state", ("open", "closed"))
    if title is not None or body is not None or base is not None:
        try:
            call.hub.edit_pull(pull, by=by, title=title, body=body, base=base)
        except ValueError:
            raise validation("PullRequest", "base", "invalid") from None
    if state is not None and state != pull.state:
        call.hub.set_state(pull, state, by)
    return Answer(200, call.hub.shapes.pull(pull, call.hub.size(pull)))


@operation("pulls/list-files", "GET", PULL + "/files", needs=READ)
def list_files(call: Call) -> Answer:
    """A page of a pull's files, at most 3,000 in all."""
    pull = call.pull
    base = call.hub.merge_base(pull)
    files = pull.repository.git.changes(base, pull.head_sha)[:MAX_LISTED_FILES]
    page = paged(call, files, lambda file: file)
    shown: list[ChangedFile] = page.body
    return Answer(200, file_shapes(call, pull.repository, base, pull.head_sha, shown), page.headers)


@operation("pulls/list-commits", "GET", PULL + "/commits", needs=READ)
def list_commits(call: Call) -> Answer:
    """A page of a pull's commits, oldest first, at most 250 in all."""
    pull = call.pull
    git = pull.repository.git
    commits = git.log(included=pull.head_sha, excluded=call.hub.merge_base(pull), limit=MAX_COMPARED_COMMITS)
    return paged(call, commits, lambda commit: call.hub.shapes.commit(pull.repository, commit))


@operation("pulls/list-requested-reviewers", "GET", PULL + "/requested_reviewers", needs=READ)
def requested_reviewers(call: Call) -> Answer:
    """Who was asked to review."""
    return Answer(200, {"users": [call.hub.shapes.account(one) for one in call.pull.reviewers], "teams": []})


@operation("pulls/list-reviews", "GET", PULL + "/reviews", needs=READ)
def list_reviews(call: Call) -> Answer:
    """The reviews in order; a pending one is shown to its author only."""
    shown = [known for known in call.pull.reviews if known.submitted_at or known.user is call.user]
    return paged(call, shown, call.hub.shapes.review)


@operation("pulls/create-review", "POST", PULL + "/reviews", needs=WRITE)
def create_review(call: Call) -> Answer:
    """A new review with its comments, all or nothing."""
    review = reviews.create(call.hub, call.pull, call.body, caller=call.caller)
    return Answer(200, call.hub.shapes.review(review))


@operation("pulls/get-review", "GET", REVIEW, needs=READ)
def get_review(call: Call) -> Answer:
    """One review."""
    return Answer(200, call.hub.shapes.review(call.review))


@operation("pulls/update-review", "PUT", REVIEW, needs=WRITE)
def update_review(call: Call) -> Answer:
    """New text for a review of one's own."""
    review = _own(call)
    text = fields.text(call.body, "body")
    if len(text) > reviews.MAX_BODY_CHARACTERS:
        raise Refused(422, "Unprocessable Entity", errors=[reviews.TOO_LONG])
    review.body = text
    if review.submitted_at is not None:
        call.hub.emit(call.hub.events.review("edited", review, review.user))
    return Answer(200, call.hub.shapes.review(review))


def _own(call: Call) -> Review:
    review = call.review
    if review.user is not call.user:
        raise Refused(403, "You can only edit your own reviews.")
    return review


@operation("pulls/delete-pending-review", "DELETE", REVIEW, needs=WRITE)
def delete_pending_review(call: Call) -> Answer:
    """Withdraws a review that was never submitted."""
    review = call.review
    shape = call.hub.shapes.review(review)
    reviews.withdraw(call.hub, review, caller=call.caller)
    return Answer(200, shape)


@operation("pulls/submit-review", "POST", REVIEW + "/events", needs=WRITE)
def submit_review(call: Call) -> Answer:
    """Submits a pending review."""
    return Answer(200, call.hub.shapes.review(reviews.submit(call.hub, call.review, call.body, caller=call.caller)))


@operation("pulls/dismiss-review", "PUT", REVIEW + "/dismissals", needs=WRITE)
def dismiss_review(call: Call) -> Answer:
    """Dismisses an approval or a request for changes."""
    review = call.review
    fields.text(call.body, "message")
    if review.state not in (ReviewState.APPROVED, ReviewState.CHANGES_REQUESTED):
        raise Refused(422, "Unprocessable Entity", errors=["Can not dismiss a commented pull request review"])
    review.state = ReviewState.DISMISSED
    call.hub.emit(call.hub.events.review("dismissed", review, reviews.writer(call.caller)))
    return Answer(200, call.hub.shapes.review(review))


@operation("pulls/list-comments-for-review", "GET", REVIEW + "/comments", needs=READ)
def comments_of_review(call: Call) -> Answer:
    """The comments of one review."""
    return paged(call, call.review.comments, call.hub.shapes.review_comment)


@operation("pulls/list-review-comments", "GET", PULL + "/comments", needs=READ)
def list_review_comments(call: Call) -> Answer:
    """Every comment on the diff."""
    return paged(call, _sorted(call, call.pull.review_comments), call.hub.shapes.review_comment)


@operation("pulls/list-review-comments-for-repo", "GET", "/repos/{owner}/{repo}/pulls/comments", needs=READ)
def list_repository_review_comments(call: Call) -> Answer:
    """Every comment on any diff of the repository."""
    found = [made for pull in call.repository.pulls for made in pull.review_comments]
    return paged(call, _sorted(call, found), call.hub.shapes.review_comment)


def _sorted(call: Call, found: list[ReviewComment]) -> list[ReviewComment]:
    newest_first = call.query.get("direction", "asc") == "desc" and "sort" in call.query
    return sorted(found, key=lambda made: made.id, reverse=newest_first)


@operation("pulls/create-review-comment", "POST", PULL + "/comments", needs=WRITE)
def create_review_comment(call: Call) -> Answer:
    """One comment on a line or a file, or a reply."""
    made = reviews.comment(call.hub, call.pull, call.body, caller=call.caller)
    return Answer(201, call.hub.shapes.review_comment(made))


@operation("pulls/create-reply-for-review-comment", "POST", PULL + "/comments/{comment_id}/replies", needs=WRITE)
def create_reply(call: Call) -> Answer:
    """A reply to a top-level comment."""
    text = fields.text(call.body, "body")
    made = reviews.reply(call.hub, call.pull, call.number("comment_id"), text, caller=call.caller)
    return Answer(201, call.hub.shapes.review_comment(made))


@operation("pulls/get-review-comment", "GET", COMMENT, needs=READ)
def get_review_comment(call: Call) -> Answer:
    """One comment on a diff."""
    return Answer(200, call.hub.shapes.review_comment(call.review_comment))


@operation("pulls/update-review-comment", "PATCH", COMMENT, needs=WRITE)
def update_review_comment(call: Call) -> Answer:
    """New text for a comment on a diff."""
    made = call.review_comment
    reviews.edit_comment(call.hub, made, text=fields.text(call.body, "body"), by=reviews.writer(call.caller))
    return Answer(200, call.hub.shapes.review_comment(made))


@operation("pulls/delete-review-comment", "DELETE", COMMENT, needs=WRITE)
def delete_review_comment(call: Call) -> Answer:
    """Takes a comment off a diff."""
    reviews.delete_comment(call.hub, call.review_comment, by=reviews.writer(call.caller))
    return Answer(204)
