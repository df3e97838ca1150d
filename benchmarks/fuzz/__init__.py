"""Coverage-guided fuzzing of what reads strangers' bytes: `python -m benchmarks.fuzz TARGET --minutes N`."""
