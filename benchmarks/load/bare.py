"""A server that reads a request and answers 202, and nothing else: what the client can do when the server costs nothing."""

from __future__ import annotations

import asyncio

ANSWER = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"


class Bare(asyncio.Protocol):
    """Knows of HTTP only where a body begins and how long it is."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.received = bytearray()
        self.wanted = 0

    def data_received(self, data: bytes) -> None:
        self.received += data
        if not self.wanted:
            head, found, _ = self.received.partition(b"\r\n\r\n")
            if not found:
                return
            length = next(int(line[15:]) for line in head.split(b"\r\n") if line[:15].lower() == b"content-length:")
            self.wanted = len(head) + 4 + length
        if len(self.received) >= self.wanted:
            del self.received[: self.wanted]
            self.wanted = 0
            self.transport.write(ANSWER)


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(Bare, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
