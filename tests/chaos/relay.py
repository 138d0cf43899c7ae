"""A line between two services that can be cut and held.

A process that dies is not all that happens to a bus or a database: its peers may lose the way to it, with an error or
in silence.
"""

import asyncio
import socket
import threading
from dataclasses import dataclass
from pathlib import Path

_BYTES = 1 << 16
_START_SECONDS = 10.0


@dataclass(frozen=True)
class Place:
    """Where something listens: a port of loopback, or a socket in the file system."""

    port: int = 0
    path: Path | None = None


class Relay:
    """Passes on what it gets, in both directions; its connections are served by one thread."""

    def __init__(self, here: Place, there: Place) -> None:
        self._here = here
        self._there = there
        self._cut = False
        self._held = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name=f"relay-{here.port or here.path}", daemon=True)

    def start(self) -> None:
        self._thread.start()
        if not self._ready.wait(_START_SECONDS):
            raise RuntimeError(f"no relay at {self._here}")

    def cut(self) -> None:
        """Close all connections, and take no new ones."""
        self._cut = True
        self._loop.call_soon_threadsafe(self._close_all)

    def hold(self) -> None:
        """Pass nothing on: whoever sends gets no answer."""
        self._held = True

    def mend(self) -> None:
        """Be as before; connections that were held are lost."""
        if self._held:
            self._loop.call_soon_threadsafe(self._close_all)
        self._cut = self._held = False

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._listen())
        self._ready.set()
        self._loop.run_forever()

    async def _listen(self) -> None:
        if self._here.path is None:
            await asyncio.start_server(self._serve, "127.0.0.1", self._here.port, family=socket.AF_INET)
            return
        self._here.path.unlink(missing_ok=True)
        await asyncio.start_unix_server(self._serve, str(self._here.path))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            if self._cut:
                return
            other_reader, other_writer = await self._connect()
            self._writers.add(other_writer)
            try:
                await asyncio.gather(self._pass(reader, other_writer), self._pass(other_reader, writer))
            finally:
                self._writers.discard(other_writer)
                other_writer.close()
        except OSError:
            return
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._there.path is None:
            return await asyncio.open_connection("127.0.0.1", self._there.port)
        return await asyncio.open_unix_connection(str(self._there.path))

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(_BYTES):
                while self._held:
                    await asyncio.sleep(0.1)
                writer.write(data)
                await writer.drain()
        finally:
            writer.close()

    def _close_all(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
