"""How fast the dashboard's pages are, and whether everybody can read them: `python -m benchmarks.dashboard`."""
