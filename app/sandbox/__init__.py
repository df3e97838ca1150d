"""A local GitHub backed by a real git repository: for `principal sandbox`, for the demo, and for the tests.

It is an independent judge: nothing here uses the rest of the program.
"""

from app.sandbox.faults import Faults, Gate
from app.sandbox.ledger import Kind, Request
from app.sandbox.repository import Executable, Move, Submodule, Symlink
from app.sandbox.run import run
from app.sandbox.server import Sandbox
from app.sandbox.verbs import IssueHandle, PullHandle, RepositoryHandle

__all__ = [
    "Executable",
    "Faults",
    "Gate",
    "IssueHandle",
    "Kind",
    "Move",
    "PullHandle",
    "RepositoryHandle",
    "Request",
    "Sandbox",
    "Submodule",
    "Symlink",
    "run",
]
