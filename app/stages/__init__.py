"""The stages of a review that touch the world: read, ask, doubt, fix, post. `app.review` tells them in order.

Each takes values of `app.core` and the doors it needs, and gives values of `app.core` back.
"""
