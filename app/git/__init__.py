"""The one door to git: a pull request's commits, or a person's checkout → a `Tree` at fixed revisions.

    Mirrors.open(…) ────────────► Tree      a bare mirror in the data folder, filled by one shallow fetch
    Checkout.resolve(…).tree ───► Tree      the checkout on this machine, which is never written to
    folders(base, head) ────────► Tree      plain folders, for as long as a block lasts
    Tree: diff · read · read_many · grep · grep_many · files · attributes · apply_check · merge_base · messages

Git runs as a child process with a fixed argument vector, an environment made from nothing, no hooks, no filters, no
submodules, no credentials but those of the one command that fetches, a limit on time and on output (`run.py`).
"""

from app.git.checkout import Checkout, Resolved, sha_of_diff
from app.git.folder import folders
from app.git.mirrors import Mirrors
from app.git.tree import GrepHit, Tree

__all__ = ["Checkout", "GrepHit", "Mirrors", "Resolved", "Tree", "folders", "sha_of_diff"]
