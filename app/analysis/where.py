"""Which files a refine step has something to say about: asked before the file's syntax tree is built."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection

from app.analysis.context import FileContext
from app.analysis.roles import Role

Where = Callable[[FileContext], bool]

_NOT_SERVED = frozenset((Role.TEST, Role.EXAMPLE, Role.SCRIPT, Role.CLIENT))
_OTHER_PACKAGE = re.compile(r"(?:^|/)(?:packages|libs|apps|plugins|extensions)/[^/]+/")
"""One of many packages of a repository: nothing says that a service runs it, when its imports do not."""


def anywhere(file: FileContext) -> bool:
    """Every file."""
    return True


def served(file: FileContext) -> bool:
    """Whether the code may run in a service: not a test, an example, a script or a page."""
    return file.role not in _NOT_SERVED and not (file.role is Role.UNKNOWN and _OTHER_PACKAGE.search(file.path))


def only(role: Role) -> Where:
    """Files of one role."""
    return lambda file: file.role is role


def named(pattern: re.Pattern[str]) -> Where:
    """Files whose path the pattern matches somewhere."""
    return lambda file: pattern.search(file.path) is not None


def holds(pattern: re.Pattern[str]) -> Where:
    """Files in whose text the pattern stands."""
    return lambda file: pattern.search(file.text) is not None


def outside(roles: Collection[Role]) -> Where:
    """Files of every role but these."""
    return lambda file: file.role not in roles
