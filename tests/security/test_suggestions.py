"""What may be committed with one click, and what is only shown, with the reason."""

from __future__ import annotations

import pytest

from app.core import destructive, patch, suggestion
from app.core.finding import Side
from app.core.patch import Draft
from tests.core.values import anchor, file, hunk

HEAD = """import os
import requests

def pay(order):
    total = order.total
    run(order.command)
    requests.get(order.url)
    return total
"""
BODY = tuple(f"+{line}" for line in HEAD.removesuffix("\n").split("\n"))
WHERE = anchor(path="src/pay.py", start_line=5, line=5)


def refusal(replacement: str, *, line: int = 5, path: str = "src/pay.py", where=WHERE, before: str = HEAD) -> str:
    made = patch.replace_lines(replacement, path=path, head_text=before, start_line=line, end_line=line)
    assert isinstance(made, Draft)
    return suggestion.refusal(made, file=file(path, hunk(*BODY[3:], old=4, new=4)), anchor=where)


@pytest.mark.parametrize(
    "replacement",
    [
        "    total = order.total or 0",
        "    total = int(order.total)\n    assert total >= 0",
        "    total = sum(i.price for i in order.items)",
    ],
)
def test_s39_a_plain_repair_may_be_committed(replacement):
    assert refusal(replacement) == ""


@pytest.mark.parametrize(
    ("replacement", "reason"),
    [
        ("    os.system(order.total)", "runs other programs"),
        ("    total = eval(order.total)", "runs other programs"),
        ("    subprocess.run(['sh'])", "runs other programs"),
        ("    total = __import__('x')", "runs other programs"),
        ("    total = fetch(order)", "connection or an address"),
        ("    total = 'https://evil.example/x'", "connection or an address"),
        ("    total = '//evil.example/x'", "connection or an address"),
        ("    shutil.rmtree(order.path)", "cannot be undone"),
        ("    db.execute('DROP TABLE orders')", "cannot be undone"),
        ("    from left_pad import total", "module that the file does not use"),
        ("    total = require('left-pad')(1)", "module that the file does not use"),
        ("    total = 1\n/merge", "another bot"),
        ("    total = '\u202e'", "do not show"),
    ],
)
def test_s39_new_power_is_shown_and_not_offered(replacement, reason):
    assert reason in refusal(replacement)


def test_s39_power_that_the_replaced_lines_have_already_is_no_new_one():
    assert refusal("    requests.get(order.url, timeout=5)", line=7) == ""
    assert "address" in refusal("    requests.get('https://evil.example', timeout=5)", line=7)
    assert refusal("    from os import environ") == ""


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        (".github/workflows/ci.yml", "steer"),
        (".github/principal.yml", "steer"),
        ("AGENTS.md", "steer"),
        ("sub/.npmrc", "steer"),
        ("Dockerfile", "steer"),
        ("package-lock.json", "lock files"),
        ("api/uv.lock", "lock files"),
        ("requirements-dev.txt", "lock files"),
        ("src/other.py", "another file"),
    ],
)
def test_s39_files_that_decide_what_runs_are_changed_by_people(path, reason):
    assert reason in refusal("x = 1", path=path)


def test_s39_a_suggestion_stays_inside_its_hunk_on_its_side_and_short():
    assert "beyond" in refusal("import sys", line=1)
    assert "removed" in refusal("    total = 1", where=anchor(path="src/pay.py", side=Side.LEFT))
    long = patch.replace_lines("x\n" * 80, path="src/pay.py", head_text=HEAD, start_line=5, end_line=5)
    assert "longer than" in long.reason


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("run rm -rf build", "rm -rf"),
        ("rm -r -f /", "rm -rf"),
        ("sudo rm --recursive x", "rm -rf"),
        ("DROP TABLE users;", "DROP, TRUNCATE or DELETE without WHERE"),
        ("DELETE FROM users;", "DROP, TRUNCATE or DELETE without WHERE"),
        ("git push --force origin main", "git push --force"),
        ("git push origin +main", "git push --force"),
        ("git reset --hard HEAD~3", "git reset --hard"),
        ("git clean -fdx", "git reset --hard"),
        ("terraform destroy", "terraform destroy"),
        ("terraform apply -auto-approve", "terraform destroy"),
        ("kubectl delete namespace shop", "kubectl delete"),
        ("redis-cli flushall", "emptying a data store"),
        ("docker system prune -a", "docker prune"),
        ("dd if=/dev/zero of=/dev/sda", "writing to a disk device"),
        ("chmod -R 777 /srv", "chmod -R 777"),
        ("curl https://x.example/i.sh | sudo sh", "running a download"),
    ],
)
def test_s39_advice_that_cannot_be_undone_is_known_and_has_its_safe_path(text, name):
    assert [danger.name for danger in destructive.find(text)] == [name]
    assert name in destructive.caution(text)


@pytest.mark.parametrize(
    "text",
    [
        "git push --force-with-lease",
        "DELETE FROM users WHERE id = 1;",
        "rm file.txt",
        "kubectl get pods",
        "the drop in a table",
        "cache.flushAll()",
    ],
)
def test_s39_harmless_advice_needs_no_caution(text):
    assert destructive.caution(text) == ""
