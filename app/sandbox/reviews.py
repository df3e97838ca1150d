"""Reviews and comments on the diff, under GitHub's rules: every place is checked before anything is kept."""

from __future__ import annotations

from collections.abc import Sequence

from app.sandbox import fields, threads
from app.sandbox.access import Caller
from app.sandbox.fields import Body
from app.sandbox.hub import Hub
from app.sandbox.hunks import Side
from app.sandbox.records import Account, Anchor, Pull, Review, ReviewComment, ReviewState, Thread
from app.sandbox.refusals import Refused, not_found, unprocessable, validation
from app.sandbox.threads import Misplaced, Place, Problem

MAX_BODY_CHARACTERS = 65_536
TOO_LONG = f"Body is too long (maximum is {MAX_BODY_CHARACTERS} characters)"
NOT_IN_PULL = "commit_id is not part of the pull request"

STATE_OF_EVENT = {
    "COMMENT": ReviewState.COMMENTED,
    "APPROVE": ReviewState.APPROVED,
    "REQUEST_CHANGES": ReviewState.CHANGES_REQUESTED,
}
OWN_PULL = {
    ReviewState.APPROVED: "Review Can not approve your own pull request",
    ReviewState.CHANGES_REQUESTED: "Review Can not request changes on your own pull request",
}
IN_A_REVIEW = {
    Problem.PATH: "Path could not be resolved",
    Problem.LINE: "Pull request review thread line must be part of the diff and "
    "Pull request review thread diff hunk can't be blank",
    Problem.START_LINE: "Pull request review thread start line must be part of the same hunk as the line.",
    Problem.ORDER: "Pull request review thread start line must precede the end line.",
}
ALONE = {
    Problem.PATH: ("path", "pull_request_review_thread.path is invalid"),
    Problem.LINE: ("pull_request_review_thread.line", "pull_request_review_thread.line must be part of the diff"),
    Problem.START_LINE: (
        "pull_request_review_thread.start_line",
        "pull_request_review_thread.start_line must be part of the same hunk as the line.",
    ),
    Problem.ORDER: (
        "pull_request_review_thread.start_line",
        "pull_request_review_thread.start_line must precede the end line.",
    ),
}


def create(hub: Hub, pull: Pull, body: Body, *, caller: Caller) -> Review:
    """A new review with all its comments, or nothing at all.

    Raises:
        Refused: 422 with one reason for each kind of fault; as on GitHub it does not say which comment was meant.

    """
    user = writer(caller)
    state = _state(body)
    text = fields.optional_text(body, "body") or ""
    _check_text(state, text, comments=bool(body.get("comments")))
    if state in OWN_PULL and user is pull.author:
        raise unprocessable(OWN_PULL[state])
    if state is ReviewState.PENDING and pending_of(pull, user) is not None:
        raise unprocessable("User can only have one pending review per pull request")
    commit = _commit(hub, pull, fields.optional_text(body, "commit_id"))
    if commit is None:
        raise unprocessable(NOT_IN_PULL)
    drafts = fields.objects(body, "comments")
    places = _places(hub, pull, commit, drafts)
    review = _add_review(hub, pull, user, caller, text=text, state=state, commit=commit)
    for draft, place in zip(drafts, places, strict=True):
        _add_thread(hub, review, place, commit, fields.text(draft, "body"))
    _tell(hub, review, user)
    return review


def _state(body: Body) -> ReviewState:
    event = fields.choice(body, "event", ("APPROVE", "REQUEST_CHANGES", "COMMENT"))
    return ReviewState.PENDING if event is None else STATE_OF_EVENT[event]


def _check_text(state: ReviewState, text: str, *, comments: bool) -> None:
    if len(text) > MAX_BODY_CHARACTERS:
        raise unprocessable(TOO_LONG)
    needed = state in (ReviewState.COMMENTED, ReviewState.CHANGES_REQUESTED)
    if needed and not text.strip():
        raise unprocessable("Review body can't be blank" if comments else "Review body or comments can't be blank")


def _commit(hub: Hub, pull: Pull, wanted: str | None) -> str | None:
    """The commit a review is on; None for one that is not (any more) part of the pull."""
    if wanted is None or wanted == pull.head_sha:
        return pull.head_sha
    git = pull.repository.git
    known = git.resolve(wanted)
    base = hub.merge_base(pull)
    inside = known is not None and known != base and git.merge_base(known, pull.head_sha) == known
    return known if inside and git.merge_base(base, known or "") == base else None


def _places(hub: Hub, pull: Pull, commit: str, drafts: Sequence[Body]) -> list[Place]:
    base = hub.merge_base(pull, commit)
    places: list[Place] = []
    reasons: dict[str, None] = {}
    for draft in drafts:
        if len(fields.text(draft, "body")) > MAX_BODY_CHARACTERS:
            reasons[TOO_LONG] = None
        elif not fields.text(draft, "body").strip():
            reasons["Pull request review comment body can't be blank"] = None
        else:
            try:
                places.append(threads.place(pull.repository.git, base, commit, anchor(draft)))
            except Misplaced as misplaced:
                reasons[IN_A_REVIEW[misplaced.problem]] = None
    if reasons:
        raise unprocessable(*reasons)
    return places


def anchor(draft: Body) -> Anchor:
    """Where a comment asks to stand.

    Raises:
        Refused: a field of another type, or a side that is neither LEFT nor RIGHT.
        Misplaced: neither a line nor a position.

    """
    path = fields.text(draft, "path")
    side = Side(fields.choice(draft, "side", tuple(Side)) or Side.RIGHT)
    start_line = fields.optional_number(draft, "start_line")
    start_side = fields.choice(draft, "start_side", tuple(Side))
    line, position = fields.optional_number(draft, "line"), fields.optional_number(draft, "position")
    if line is None and position is None:
        raise Misplaced(Problem.LINE)
    return Anchor(
        path=path,
        side=side,
        line=line,
        start_line=start_line,
        start_side=(Side(start_side) if start_side else side) if start_line is not None else None,
        position=position if line is None else None,
    )


def comment(hub: Hub, pull: Pull, body: Body, *, caller: Caller) -> ReviewComment:
    """One comment on the diff outside a review of the caller's making, on a line, on a file, or as a reply.

    Raises:
        Refused: 422, naming the field.

    """
    user = writer(caller)
    text = fields.text(body, "body")
    _check_comment_text(text)
    parent = fields.optional_number(body, "in_reply_to")
    if parent is not None:
        return reply(hub, pull, parent, text, caller=caller)
    commit = _commit(hub, pull, fields.text(body, "commit_id"))
    if commit is None:
        raise validation("PullRequestReviewComment", "commit_id", "custom", NOT_IN_PULL)
    try:
        if fields.choice(body, "subject_type", ("line", "file")) == "file":
            wanted = Anchor(fields.text(body, "path"), Side.RIGHT, None)
        else:
            wanted = anchor(body)
        found = threads.place(pull.repository.git, hub.merge_base(pull, commit), commit, wanted)
    except Misplaced as misplaced:
        field, reason = ALONE[misplaced.problem]
        raise validation("PullRequestReviewComment", field, "custom", reason) from None
    review = _add_review(hub, pull, user, caller, text="", state=ReviewState.COMMENTED, commit=commit)
    made = _add_thread(hub, review, found, commit, text)
    _tell(hub, review, user)
    return made


def reply(hub: Hub, pull: Pull, comment_id: int, text: str, *, caller: Caller) -> ReviewComment:
    """A reply in the thread that a top-level comment opened.

    Raises:
        Refused: 404 where the comment is not one of this pull's, or is a reply itself.

    """
    user = writer(caller)
    _check_comment_text(text)
    parent = hub.state.review_comments.get(comment_id)
    if parent is None or parent.pull is not pull or parent.reply_to is not None:
        raise not_found()
    review = _add_review(
        hub, pull, user, caller, text="", state=ReviewState.COMMENTED, commit=parent.thread.original_commit
    )
    made = _add_comment(hub, parent.thread, review, text)
    made.reply_to = parent
    _tell(hub, review, user)
    return made


def _check_comment_text(text: str) -> None:
    if not text.strip():
        raise validation("PullRequestReviewComment", "body", "missing_field")
    if len(text) > MAX_BODY_CHARACTERS:
        raise validation("PullRequestReviewComment", "body", "unprocessable", TOO_LONG)


def submit(hub: Hub, review: Review, body: Body, *, caller: Caller) -> Review:
    """A pending review that now everybody sees."""
    user = writer(caller)
    if review.state is not ReviewState.PENDING or review.user is not user:
        raise unprocessable("Could not submit review")
    event = fields.choice(body, "event", tuple(STATE_OF_EVENT))
    if event is None:
        raise unprocessable("Event can't be blank")
    text = fields.optional_text(body, "body") or review.body
    state = STATE_OF_EVENT[event]
    _check_text(state, text, comments=bool(review.comments))
    if state in OWN_PULL and user is review.pull.author:
        raise unprocessable(OWN_PULL[state])
    review.body, review.state, review.submitted_at = text, state, hub.state.now()
    _tell(hub, review, user)
    return review


def withdraw(hub: Hub, review: Review, *, caller: Caller) -> None:
    """Takes a pending review and its comments away."""
    if review.state is not ReviewState.PENDING or review.user is not writer(caller):
        raise unprocessable("Can not delete a non-pending pull request review")
    for made in review.comments:
        delete_comment(hub, made, by=review.user)
    review.pull.reviews.remove(review)


def edit_comment(hub: Hub, made: ReviewComment, *, text: str, by: Account) -> None:
    """New text for a comment on the diff."""
    _check_comment_text(text)
    before, made.body = made.body, text
    made.updated_at = hub.state.now()
    hub.emit(hub.events.review_comment("edited", made, by, changes={"body": {"from": before}}))


def delete_comment(hub: Hub, made: ReviewComment, *, by: Account) -> None:
    """Takes a comment out of its thread; a thread without comments goes too."""
    made.thread.comments.remove(made)
    if not made.thread.comments:
        made.pull.threads.remove(made.thread)
    del hub.state.review_comments[made.id]
    if not made.pending:
        hub.emit(hub.events.review_comment("deleted", made, by))


def pending_of(pull: Pull, user: Account) -> Review | None:
    """The review that someone has begun and not submitted."""
    return next((known for known in pull.reviews if known.user is user and known.state is ReviewState.PENDING), None)


def writer(caller: Caller) -> Account:
    """The account a caller writes as.

    Raises:
        Refused: 401 for nobody.

    """
    if caller.account is None:
        raise Refused(401, "Requires authentication")
    return caller.account


def _add_review(
    hub: Hub, pull: Pull, user: Account, caller: Caller, *, text: str, state: ReviewState, commit: str
) -> Review:
    now = None if state is ReviewState.PENDING else hub.state.now()
    review = Review(hub.state.next_id(), pull, user, text, state, commit, now, caller.writing_app)
    pull.reviews.append(review)
    pull.updated_at = hub.state.now()
    return review


def _add_thread(hub: Hub, review: Review, place: Place, commit: str, text: str) -> ReviewComment:
    pull = review.pull
    thread = Thread(hub.state.next_id(), pull, place.anchor, commit, place.diff_hunk, place.anchor)
    pull.threads.append(thread)
    if commit != pull.head_sha:
        base = hub.merge_base(pull)
        threads.relocate(thread, old=(hub.merge_base(pull, commit), commit), new=(base, pull.head_sha))
    return _add_comment(hub, thread, review, text)


def _add_comment(hub: Hub, thread: Thread, review: Review, text: str) -> ReviewComment:
    now = hub.state.now()
    made = ReviewComment(hub.state.next_id(), thread, review, review.user, text, now, now, app=review.app)
    thread.comments.append(made)
    hub.state.review_comments[made.id] = made
    return made


def _tell(hub: Hub, review: Review, user: Account) -> None:
    if review.state is ReviewState.PENDING:
        return
    hub.emit(hub.events.review("submitted", review, user))
    for made in review.comments:
        hub.emit(hub.events.review_comment("created", made, user))
