"""A wire between browser and server that counts bytes, and can be as slow as a phone's network."""

from __future__ import annotations

import asyncio
import threading
import time


class Wire:
    """Carries every connection of `origin` to a port of this machine.

    `trip` is the time a byte needs to the other side and back, in seconds; a new connection costs
    two trips more, as TCP and TLS 1.3 do. `rate` is bytes per second towards the browser.
    """

    def __init__(self, port: int, trip: float = 0, rate: float | None = None) -> None:
        self._port, self._trip, self._rate = port, trip, rate
        self.received = self.sent = 0
        self.origin = ""
        self._free_at = 0.0  # when the line towards the browser has carried what it was given
        ready = threading.Event()
        threading.Thread(target=lambda: asyncio.run(self._serve(ready)), daemon=True).start()
        ready.wait()

    async def _serve(self, ready: threading.Event) -> None:
        server = await asyncio.start_server(self._connected, "localhost", 0)
        self.origin = f"http://localhost:{server.sockets[0].getsockname()[1]}"
        ready.set()
        await server.serve_forever()

    async def _connected(
        self, browser_in: asyncio.StreamReader, browser_out: asyncio.StreamWriter
    ) -> None:
        server_in, server_out = await asyncio.open_connection("localhost", self._port)
        await asyncio.sleep(2 * self._trip)
        await asyncio.gather(
            self._carry(browser_in, server_out, "sent"),
            self._carry(server_in, browser_out, "received"),
            return_exceptions=True,
        )

    async def _carry(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, direction: str
    ) -> None:
        line: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        delivery = asyncio.create_task(self._deliver(line, target))
        while data := await source.read(1_460):
            setattr(self, direction, getattr(self, direction) + len(data))
            carried = time.monotonic()
            if self._rate and direction == "received":
                carried = self._free_at = max(carried, self._free_at) + len(data) / self._rate
            line.put_nowait((carried + self._trip / 2, data))
        line.put_nowait((0, b""))
        await delivery

    async def _deliver(
        self, line: asyncio.Queue[tuple[float, bytes]], target: asyncio.StreamWriter
    ) -> None:
        while True:
            at, data = await line.get()
            if not data:
                break
            await asyncio.sleep(max(0.0, at - time.monotonic()))
            target.write(data)
            await target.drain()
        target.close()

    def restart(self) -> None:
        """Count from nothing again."""
        self.received = self.sent = 0
