"""Principal: a self-hosted pull-request reviewer. Start reading at `app/review.py`."""

__version__ = "0.4.0"
