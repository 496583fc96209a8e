"""oslo.messaging driver that speaks to the lab's broker: transport_url = lab:////path/of/bus.sock"""

from __future__ import annotations

import itertools
import logging
import os
import queue
import socket
import threading
import time

import oslo_messaging
from oslo_messaging._drivers import base
from oslo_messaging._drivers import common as rpc_common
from oslo_serialization import jsonutils

LOG = logging.getLogger(__name__)
RECONNECT_S = 0.1
_connections = {}
_lock = threading.Lock()


class Connection:
    """One socket to the broker for the whole process; comes back by itself when the broker was restarted."""

    def __init__(self, path):
        self.path = path
        self.ids = itertools.count(1)
        self.waiters = {}
        self.listeners = {}
        self.socket = None
        self.write_lock = threading.Lock()
        self.connected = threading.Event()
        threading.Thread(target=self._run, name="labbus", daemon=True).start()

    def _run(self):
        while True:
            try:
                fresh = socket.socket(socket.AF_UNIX)
                fresh.connect(self.path)
            except OSError:
                time.sleep(RECONNECT_S)
                continue
            with self.write_lock:
                self.socket = fresh
                for subscription, (exchange, topic, server, _) in self.listeners.items():
                    self._send({"op": "sub", "sub": subscription, "ex": exchange, "topic": topic, "server": server})
            self.connected.set()
            self._read(fresh)
            self.connected.clear()
            LOG.warning("labbus: connection lost, reconnecting")

    def _read(self, fresh):
        try:
            with fresh.makefile("rb") as stream:
                for line in stream:
                    try:
                        self._dispatch(jsonutils.loads(line))
                    except Exception:
                        LOG.exception("labbus: a message cannot be read")
        except OSError:
            pass

    def _send(self, message):
        self.socket.sendall(jsonutils.dumps(message).encode() + b"\n")

    def subscribe(self, exchange, topic, server, messages):
        subscription = next(self.ids)
        with self.write_lock:
            self.listeners[subscription] = (exchange, topic, server, messages)
            if self.connected.is_set():
                self._send({"op": "sub", "sub": subscription, "ex": exchange, "topic": topic, "server": server})
        return subscription

    def write(self, message, timeout=30):
        data = jsonutils.dumps(message).encode() + b"\n"
        deadline = time.monotonic() + timeout
        while True:
            if not self.connected.wait(max(0.01, deadline - time.monotonic())):
                raise oslo_messaging.MessageDeliveryFailure(f"labbus: no broker at {self.path}")
            try:
                with self.write_lock:
                    self.socket.sendall(data)
                return
            except OSError:
                time.sleep(RECONNECT_S)

    def _dispatch(self, message):
        if message["op"] == "msg":
            listener = self.listeners.get(message["sub"])
            if listener:
                listener[3].put(message)
        else:
            waiter = self.waiters.get(message["mid"])
            if waiter:
                waiter.put(message)


def connection(path):
    """The process's connection; a forked child makes its own."""
    key = (os.getpid(), path)
    with _lock:
        if key not in _connections:
            _connections[key] = Connection(path)
        return _connections[key]


class Incoming(base.RpcIncomingMessage):
    """A call that waits for its answer."""

    def __init__(self, bus, message):
        super().__init__(message["body"]["ctxt"], message["body"]["msg"], message.get("mid"))
        self.bus, self.call, self.caller = bus, message.get("mid"), message["from"]
        self.client_timeout = message.get("timeout")

    def reply(self, reply=None, failure=None):
        if self.call is None:
            return
        if failure:
            failure = rpc_common.serialize_remote_exception(failure)
        self.bus.write({"op": "reply", "to": self.caller, "mid": self.call, "result": reply, "failure": failure})

    def requeue(self):
        raise NotImplementedError

    def heartbeat(self):
        if self.call is not None:
            self.bus.write({"op": "hb", "to": self.caller, "mid": self.call})


class Listener(base.PollStyleListener):
    """Messages of one target."""

    def __init__(self, bus, exchange, target):
        super().__init__()
        self.bus, self.messages, self.stopped = bus, queue.Queue(), False
        self.subscription = bus.subscribe(exchange, target.topic, target.server, self.messages)

    @base.batch_poll_helper
    def poll(self, timeout=None):
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self.stopped:
            left = 1.0 if deadline is None else min(1.0, deadline - time.monotonic())
            if left <= 0:
                return None
            try:
                message = self.messages.get(timeout=left)
            except queue.Empty:
                continue
            if message is not None:
                return Incoming(self.bus, message)
        return None

    def stop(self):
        self.stopped = True
        self.messages.put(None)
        self.bus.listeners.pop(self.subscription, None)
        try:
            self.bus.write({"op": "unsub", "sub": self.subscription}, timeout=0.5)
        except oslo_messaging.MessageDeliveryFailure:
            LOG.info("labbus: the broker went first")


class LabBusDriver(base.BaseDriver):
    """oslo.messaging's side of the broker."""

    def __init__(self, conf, url, default_exchange=None, allowed_remote_exmods=None):
        super().__init__(conf, url, default_exchange, allowed_remote_exmods)
        self.path = "/" + url.virtual_host.lstrip("/")

    def require_features(self, requeue=True):
        pass

    def _exchange(self, target):
        return target.exchange or self._default_exchange or ""

    def send(
        self,
        target,
        ctxt,
        message,
        wait_for_reply=None,
        timeout=None,
        call_monitor_timeout=None,
        retry=None,
        transport_options=None,
    ):
        bus = connection(self.path)
        request = {
            "op": "pub",
            "ex": self._exchange(target),
            "topic": target.topic,
            "server": target.server,
            "fanout": bool(target.fanout),
            "mid": None,
            "timeout": call_monitor_timeout,
            "body": {"ctxt": ctxt, "msg": message},
        }
        if not wait_for_reply:
            return bus.write(request)
        call = request["mid"] = next(bus.ids)
        answers = bus.waiters[call] = queue.Queue()
        try:
            bus.write(request)
            return self._wait(answers, target, message, timeout, call_monitor_timeout)
        finally:
            bus.waiters.pop(call, None)

    def _wait(self, answers, target, message, timeout, call_monitor_timeout):
        deadline = time.monotonic() + (timeout or 60)
        while True:
            left = deadline - time.monotonic()
            if call_monitor_timeout:
                left = min(left, call_monitor_timeout)
            try:
                answer = answers.get(timeout=max(left, 0.001))
            except queue.Empty:
                where = f"{target.topic}/{target.server}"
                raise oslo_messaging.MessagingTimeout(
                    f"labbus: no reply on {where} to {message.get('method')}"
                ) from None
            if answer["op"] == "hb":
                continue
            if answer.get("failure"):
                raise rpc_common.deserialize_remote_exception(answer["failure"], self._allowed_remote_exmods)
            return answer["result"]

    def send_notification(self, target, ctxt, message, version, retry=None):
        pass

    def listen(self, target, batch_size, batch_timeout):
        listener = Listener(connection(self.path), self._exchange(target), target)
        return base.PollStyleListenerAdapter(listener, batch_size, batch_timeout)

    def listen_for_notifications(self, targets_and_priorities, pool, batch_size, batch_timeout):
        target = targets_and_priorities[0][0]
        listener = Listener(connection(self.path), self._exchange(target), target)
        return base.PollStyleListenerAdapter(listener, batch_size, batch_timeout)

    def cleanup(self):
        pass
