"""A message broker for one lab: standard library only, one unix socket, JSON lines.

Delivery follows what oslo.messaging's RPC expects: a topic goes to one listener in turn, a topic with a server to
that server, a fanout to all. A message without a listener waits, as on a durable queue; a fanout does not.
"""

from __future__ import annotations

import asyncio
import collections
import json
import os
import sys
import time
from typing import Any

WAITING_LIMIT_S = 300
WAITING_LIMIT_MESSAGES = 1000
LINE_LIMIT_BYTES = 64 << 20

Topic = tuple[str, str]


class Broker:
    """Who listens to what, and what waits for a listener."""

    def __init__(self) -> None:
        self.writers: dict[int, asyncio.StreamWriter] = {}
        self.listeners: dict[Topic, list[tuple[int, int, str | None]]] = collections.defaultdict(list)
        self.turns: collections.Counter[Topic] = collections.Counter()
        self.waiting: dict[tuple[str, str, str | None], collections.deque[tuple[float, dict[str, Any]]]] = (
            collections.defaultdict(collections.deque)
        )
        self.last_client = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client until it goes."""
        self.last_client += 1
        client = self.last_client
        self.writers[client] = writer
        try:
            while line := await reader.readline():
                self._handle(client, json.loads(line))
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, ValueError):
            pass
        finally:
            self.writers.pop(client, None)
            for topic in list(self.listeners):
                self.listeners[topic] = [entry for entry in self.listeners[topic] if entry[0] != client]
            writer.close()

    def _handle(self, client: int, message: dict[str, Any]) -> None:
        operation = message["op"]
        if operation == "sub":
            self._subscribe(client, message)
        elif operation == "unsub":
            for topic in list(self.listeners):
                kept = [entry for entry in self.listeners[topic] if entry[:2] != (client, message["sub"])]
                self.listeners[topic] = kept
        elif operation == "pub":
            self._publish(message | {"from": client})
        else:  # a reply or a heartbeat goes back to whoever asked
            self._send(message.pop("to"), message)

    def _subscribe(self, client: int, message: dict[str, Any]) -> None:
        topic = (message["ex"], message["topic"])
        self.listeners[topic].append((client, message["sub"], message["server"]))
        for server in (None, message["server"]):
            queue = self.waiting.pop((*topic, server), collections.deque())
            for since, waiting in queue:
                if time.monotonic() - since < WAITING_LIMIT_S:
                    self._publish(waiting)

    def _publish(self, message: dict[str, Any]) -> None:
        topic = (message["ex"], message["topic"])
        server = message.get("server")
        targets = self._targets(topic, server, bool(message.get("fanout")))
        for client, subscription, _ in targets:
            kept = {key: message.get(key) for key in ("body", "mid", "from", "timeout")}
            self._send(client, {"op": "msg", "sub": subscription, **kept})
        if not targets and not message.get("fanout"):
            queue = self.waiting[(*topic, server)]
            queue.append((time.monotonic(), message))
            while len(queue) > WAITING_LIMIT_MESSAGES:
                queue.popleft()

    def _targets(self, topic: Topic, server: str | None, fanout: bool) -> list[tuple[int, int, str | None]]:
        listeners = self.listeners.get(topic, [])
        if fanout:
            return listeners
        if server:
            return [entry for entry in listeners if entry[2] == server][:1]
        if not listeners:
            return []
        self.turns[topic] += 1
        return [listeners[self.turns[topic] % len(listeners)]]

    def _send(self, client: int, message: dict[str, Any]) -> None:
        writer = self.writers.get(client)
        if writer is not None:
            writer.write(json.dumps(message).encode() + b"\n")


async def main(path: str) -> None:
    """Serve on the unix socket `path` until the end."""
    broker = Broker()
    if os.path.exists(path):
        os.unlink(path)
    before = os.umask(0o177)
    server = await asyncio.start_unix_server(broker.serve, path, limit=LINE_LIMIT_BYTES)
    os.umask(before)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
