"""What the bot bears: `python -m benchmarks.load` prints it as a table."""
