"""The process's door: `principal`, and `python -m app`."""

from __future__ import annotations

from app.loading import undisturbed


def main() -> None:
    """Load the command line and run it."""
    with undisturbed():
        from app import cli  # noqa: PLC0415 - within, so that loading it is not disturbed
    cli.main()


if __name__ == "__main__":
    main()
