"""A new App: the code that a person came back with goes in, the App and its credentials come out. Once, within an hour.

https://docs.github.com/en/apps/sharing-github-apps/registering-a-github-app-from-a-manifest#3-you-exchange-the-temporary-code
"""

from __future__ import annotations

from app.core.registration import Registered
from app.github import replies
from app.github.transport import Transport
from app.github.wire import Effect, Request


async def convert(code: str, *, api_url: str) -> Registered:
    """The App that was made for this code. GitHub gives it out once: whoever calls keeps it, or it is lost.

    Raises `Permanent` (GITHUB_GONE) for a code that is unknown, used or older than an hour, `Transient` as every call.
    """
    request = Request(
        "POST", "/app-manifests/{code}/conversions", {"code": code}, "create the App", Effect.ONCE, body={}
    )
    transport = Transport(api_url=api_url)
    try:
        # Not tried again: the first try may have used the code up.
        reply = await transport.run(lambda: transport.send(request, auth=None), request)
    finally:
        await transport.close()
    return replies.read(replies.NewAppReply, reply, request).registered()
