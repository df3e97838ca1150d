"""Numbers and times as people read them: values in, short texts out."""

from __future__ import annotations

import datetime as dt
import json
from urllib.parse import quote

SHOWN_AT_MOST_CHARACTERS = 200_000
"""Of one prompt or reply: a browser that is sent more is no help to anybody."""
MINUTE, HOUR, DAY = 60, 3600, 86_400


def money(usd: float | None) -> str:
    """`$0.07`; small amounts keep two digits that say something."""
    if usd is None:
        return "price not known"
    if 0 < usd < 0.01:
        return f"${usd:.2g}" if usd >= 0.0001 else "under $0.0001"
    return f"${usd:,.2f}"


def count(number: float) -> str:
    """`812`, `18.2 k`, `3.1 M`."""
    for size, mark in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(number) >= size:
            return f"{number / size:.1f} {mark}"
    return f"{number:g}"


def seconds(taken: float | None) -> str:
    """`0.4 s`, `41 s`, `3 min 20 s`, `2 h 5 min`, `3 days`."""
    if taken is None:
        return "–"
    taken = max(taken, 0.0)
    if taken < 10:
        return f"{taken:.1f} s"
    whole = round(taken)
    if whole < MINUTE:
        return f"{whole} s"
    if whole < HOUR:
        return f"{whole // MINUTE} min {whole % MINUTE} s" if whole % MINUTE else f"{whole // MINUTE} min"
    if whole < 2 * DAY:
        return f"{whole // HOUR} h {whole % HOUR // MINUTE} min"
    return f"{whole // DAY} days"


def ago(moment: float, now: float) -> str:
    """`just now`, `5 min ago`, `3 h ago`, `12 days ago`."""
    passed = now - moment
    if passed < MINUTE:
        return "just now"
    if passed < HOUR:
        return f"{int(passed // MINUTE)} min ago"
    if passed < 2 * DAY:
        return f"{int(passed // HOUR)} h ago"
    return f"{int(passed // DAY)} days ago"


def utc(moment: float | None) -> str:
    """`2026-11-21 09:25:07 UTC`."""
    return "–" if moment is None else f"{_time(moment):%Y-%m-%d %H:%M:%S} UTC"


def clock(moment: float) -> str:
    """`09:25:07`."""
    return f"{_time(moment):%H:%M:%S}"


def iso(moment: float) -> str:
    """The time for machines."""
    return _time(moment).isoformat(timespec="seconds")


def share(part: float | None) -> str:
    """`83 %`."""
    return "–" if part is None else f"{part * 100:.0f} %"


def address(text: str) -> str:
    """The text as a part of an address."""
    return quote(text, safe="")


def some(text: str) -> str:
    """The text, or its beginning and how much is missing."""
    more = len(text) - SHOWN_AT_MOST_CHARACTERS
    return text if more <= 0 else f"{text[:SHOWN_AT_MOST_CHARACTERS]}\n… and {more:,} more characters"


def pretty(text: str) -> str:
    """JSON with its lines and indents; other text as it is."""
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except ValueError:
        return text


def plural(number: int, one: str, many: str | None = None) -> str:
    """`1 finding`, `2 findings`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def _time(moment: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(moment, tz=dt.UTC)


FILTERS = {
    "money": money,
    "count": count,
    "seconds": seconds,
    "ago": ago,
    "utc": utc,
    "clock": clock,
    "iso": iso,
    "share": share,
    "address": address,
    "some": some,
    "pretty": pretty,
    "plural": plural,
}
