"""The one door to ast-grep and tree-sitter: rules become evidence, lines get their enclosing symbols, patches are parsed.

Ask the `Scanner`; the rest of this room works in its child process. Types are in `app.core.source`.
"""

from app.analysis.scanner import Scanner

__all__ = ["Scanner"]
