"""`python -m app` is `principal`."""

from app.cli import main

main()
