"""placeholder"""
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
class Pages:
    def __init__(self, hub: object, post: object) -> None: ...
    async def serve(self, request: Request) -> Response:
        return PlainTextResponse("Not Found", 404)
