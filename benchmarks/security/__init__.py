"""What the gates let through, measured: `python -m benchmarks.security`."""
