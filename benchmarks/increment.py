"""What a small push to a large pull request that was reviewed costs, beside its first review: prompts' tokens, as we count them.

    python -m benchmarks.increment [--lines 5000] [--more 10]

The bot is as shipped and the sandbox is its GitHub; a model on loopback answers at once and finds nothing, so that both
figures are of reading alone. A small test plays the same with the same figures.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass
from pathlib import Path

from app.core.budget import estimate_tokens
from app.sandbox import Sandbox
from tests.fakes.models import FakeModels
from tests.stories.bot import SECRET, Bot, completed, environment

LINES_PER_FILE = 250


@dataclass(frozen=True, slots=True)
class Costs:
    """Tokens of all prompts of the first review and of the review of the push after it, and how many prompts they were."""

    first: int
    push: int
    first_prompts: int
    push_prompts: int

    @property
    def share(self) -> float:
        """What the push costs of the first review, from 0 to 1."""
        return self.push / self.first


def measure(folder: Path, *, lines: int, more: int) -> Costs:
    """Review a pull request of so many new lines, push some more into the midst of one of its files, and review that."""
    with Sandbox() as github, FakeModels() as models:
        models.answers_instantly(
            {"review": {"overview": "It adds tasks.", "findings": []}, "summarise": {"overview": "It adds tasks."}}
        )
        model = {**models.environment("openai"), "PRINCIPAL_MODEL": "openai:gpt-6.1-sol"}
        with Bot(environment(github, folder, **model)) as bot:
            github.webhook(f"{bot.url}/webhooks/github", secret=SECRET)
            repository = github.create_repository("acme/shop", files={"README.md": "Shop\n"})
            files = {f"src/task{number}.ts": code(number) for number in range(lines // LINES_PER_FILE)}
            pull = repository.open_pull(files=files, title="Add tasks", body="")
            completed(pull)
            first = [f"{one.system}\n{one.user}" for one in models.requests]
            path, text = next(iter(files.items()))
            pull.push({path: extended(text, more)})
            completed(pull, runs=2)
            push = [f"{one.system}\n{one.user}" for one in models.requests][len(first) :]
    return Costs(sum(map(estimate_tokens, first)), sum(map(estimate_tokens, push)), len(first), len(push))


def code(number: int) -> str:
    """A file of `LINES_PER_FILE` lines that no rule has anything to say about."""
    body = "".join(f"  const part{n} = await load{number}(input.part{n}, {n});\n" for n in range(LINES_PER_FILE - 2))
    return f"export async function task{number}(input: Input) {{\n{body}}}\n"


def extended(text: str, more: int) -> str:
    """The text with new lines in its midst."""
    lines = text.splitlines(keepends=True)
    middle = len(lines) // 2
    return "".join(
        [
            *lines[:middle],
            *(f"  const later{n} = await refresh(input.later{n});\n" for n in range(more)),
            *lines[middle:],
        ]
    )


def main() -> None:
    """Print both figures and their share."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=5000)
    parser.add_argument("--more", type=int, default=10)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        costs = measure(Path(folder), lines=arguments.lines, more=arguments.more)
    print(f"first review of {arguments.lines:,} lines: {costs.first:,} tokens in {costs.first_prompts} prompts")
    print(f"a push of {arguments.more:,} lines more: {costs.push:,} tokens in {costs.push_prompts} prompts")
    print(f"share: {costs.share:.1%}")


if __name__ == "__main__":
    main()
