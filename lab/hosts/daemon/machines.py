"""The machines of a lab: `python -m lab.hosts.daemon.machines LAB MARKER`.

Listens on every machine's address, boots machines, hands each SSH connection to a real sshd inside, carries out host
calls, and opens and closes floating IPs as Neutron's database says. Standard library only; small on purpose.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import selectors
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lab.errors import LabError
from lab.files import remove_tree
from lab.hosts import contents, layout
from lab.hosts.boot import boot
from lab.hosts.daemon.host_calls import HostCalls
from lab.hosts.hardware import card_memory
from lab.hosts.hardware import declaration as hardware
from lab.hosts.layout import MachineDir
from lab.paths import LabPaths
from lab.state import SSH_PORT, LabState, load

FLOATING_POLL_S = 0.25
BOOT_LIMIT_S = 30
FLOATING_QUERY = (
    "select f.floating_ip_address, p.device_id from floatingips f join ports p on p.id = f.fixed_port_id"
    " where f.fixed_port_id is not null"
)
SSH_ALLOWED_QUERY = (
    "select count(*) from floatingips f join securitygroupportbindings b on b.port_id = f.fixed_port_id"
    " join securitygrouprules r on r.security_group_id = b.security_group_id"
    " where f.floating_ip_address = ? and r.direction = 'ingress'"
    " and (r.protocol is null or (r.protocol in ('tcp', '6')"
    " and (r.port_range_min is null or (r.port_range_min <= 22 and r.port_range_max >= 22))))"
)
MACHINE_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Machines:
    """All machines of one lab and the sockets that belong to them."""

    def __init__(self, state: LabState) -> None:
        self.state = state
        self.paths = state.paths
        self.pids: dict[str, int] = {}
        self.lock = threading.RLock()
        self.selector = selectors.DefaultSelector()
        self.listeners: dict[str, socket.socket] = {}
        self.host_calls = HostCalls(state.paths, self.pids, self._power)
        self.children: set[subprocess.Popen[bytes]] = set()

    # ---- what a client may ask for

    def ping(self) -> dict[str, Any]:
        return {
            "pid": os.getpid(),
            "machines": len(self.names()),
            "running": len([n for n in self.names() if self.is_running(n)]),
        }

    def states(self) -> list[dict[str, Any]]:
        return [self.state_of(name) for name in self.names()]

    def state_of(self, name: str) -> dict[str, Any]:
        directory = self.directory(name)
        machine = self.machine(name)
        boot_id = directory.proc / "boot_id"
        public = directory.path("/etc/ssh/ssh_host_ed25519_key.pub")
        return {
            "name": name,
            "kind": machine["kind"],
            "hostname": machine["name"],
            "power": directory.power_file.read_text() if directory.power_file.exists() else "off",
            "running": self.is_running(name),
            "pid": self.pids.get(name),
            "boot_id": boot_id.read_text().strip() if boot_id.exists() else None,
            "addresses": machine["addresses"],
            "host_keys": [" ".join(public.read_text().split()[:2])] if public.exists() else [],
        }

    def define(
        self, name: str, declaration: dict[str, Any], image: str | None, seed: dict[str, Any] | None
    ) -> dict[str, Any]:
        directory = MachineDir(self.paths, name)
        if declaration.get("kind") == "guest":
            self._define_guest(directory, declaration, image, seed)
        else:
            self._define_host(directory, declaration)
        return self.state_of(name)

    def _define_host(self, directory: MachineDir, machine: dict[str, Any]) -> None:
        fresh = not directory.machine_file.exists()
        directory.root.mkdir(parents=True, exist_ok=True)
        _write_json(directory.machine_file, machine)
        if fresh:
            key = (self.paths.secrets / "id_ed25519.pub").read_text()
            user = "stack" if machine["kind"] == "undercloud" else "heat-admin"
            contents.populate(directory, machine, {user: key, "root": key})
            directory.power_file.write_text("off")
        self.listen(machine["addresses"][0])

    def _define_guest(
        self, directory: MachineDir, declaration: dict[str, Any], image: str | None, seed: dict[str, Any] | None
    ) -> None:
        from lab.guests import hooks

        fresh = not directory.machine_file.exists()
        directory.root.mkdir(parents=True, exist_ok=True)
        system = hooks.image_os(Path(image)) if image else self.machine(directory.name)["os"]
        host = self.machine(declaration["host"])
        machine = hardware.guest_machine({**declaration, "os": system}, host)
        for card in machine["gpus"]:
            card.update(card_memory.settings(MachineDir(self.paths, declaration["host"]), card["host_address"]))
        _write_json(directory.machine_file, machine)
        if fresh:
            contents.populate(directory, machine, {})
            hooks.prepare(directory, Path(image) if image else None, seed or {})
            directory.power_file.write_text("off")

    def boot(self, name: str) -> dict[str, Any]:
        with self.lock:
            self.directory(name).power_file.write_text("on")
            if not self.is_running(name):
                self._start(name)
        return self.state_of(name)

    def _start(self, name: str) -> None:
        directory = self.directory(name)
        machine = self.machine(name)
        try:
            boot.boot(directory, machine)
        except boot.Panic as panic:
            self._console(name, f"[    0.000000] Linux version {machine['os']['kernel']}\n[    0.812345] {panic}\n")
            return
        call_socket = directory.root / "hostcall.sock"
        if not call_socket.exists():
            self.host_calls.open(name)
        lower = ":".join(str(path) for path in [*directory.usr_layers(), self.paths.userland / "usr"])
        title = f"{self.state.marker}:machine:{name}"
        command = [sys.executable, "-S", "-m", "lab.hosts.daemon.namespaces", str(directory.root), lower, title]
        done = subprocess.run(command, capture_output=True, text=True, timeout=BOOT_LIMIT_S, check=False)
        if done.returncode:
            raise LabError(f"{name} does not start: {done.stderr.strip().splitlines()[-1]}")
        self.pids[name] = int(done.stdout)
        (directory.root / "init.pid").write_text(done.stdout)
        deadline = time.monotonic() + BOOT_LIMIT_S
        while not os.path.exists(f"/proc/{self.pids[name]}/root/run/lab/started"):
            if time.monotonic() > deadline or not self.is_running(name):
                raise LabError(f"{name} does not start; its init ended")
            time.sleep(0.002)
        self.run(name, ["/bin/sh", "-c", contents.FIRST_START])
        self._console(name, f"[    0.000000] Linux version {(directory.proc / 'osrelease').read_text().strip()}\n")
        if machine["kind"] == "guest" and not machine.get("appliance_kernel"):
            self._first_boot(name)

    def _first_boot(self, name: str) -> None:
        from lab.guests import hooks

        argv = hooks.firstboot_argv(self.directory(name))
        if argv is None:
            return
        with self.directory(name).console_file.open("ab") as console:
            process = subprocess.Popen(
                self._enter(name, argv),
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                env={"PATH": MACHINE_PATH, "HOME": "/root"},
            )
        self.children.add(process)

    def shutdown(self, name: str) -> dict[str, Any]:
        self.directory(name).power_file.write_text("off")
        self._stop(name)
        return self.state_of(name)

    def _stop(self, name: str) -> None:
        with self.lock:
            pid = self.pids.pop(name, None) or self._adopted(name)
            (self.paths.machines / name / "paused").unlink(missing_ok=True)
            if pid is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                deadline = time.monotonic() + 5
                while _is_alive(pid, self.state.marker) and time.monotonic() < deadline:
                    time.sleep(0.005)

    def reboot(self, name: str) -> dict[str, Any]:
        with self.lock:
            self._stop(name)
            self.pids.pop(name, None)
            return self.boot(name)

    def pause(self, name: str) -> dict[str, Any]:
        self._signal_all(name, "STOP")
        (self.directory(name).root / "paused").touch()
        return self.state_of(name)

    def unpause(self, name: str) -> dict[str, Any]:
        (self.directory(name).root / "paused").unlink(missing_ok=True)
        self._signal_all(name, "CONT")
        return self.state_of(name)

    def _signal_all(self, name: str, kind: str) -> None:
        """To every process of the machine: kill of its init's namespace leaves out only the caller and init."""
        self.run(name, ["/bin/sh", "-c", f"kill -{kind} -1"])

    def _is_paused(self, name: str) -> bool:
        return (self.paths.machines / name / "paused").exists()

    def destroy(self, name: str) -> None:
        directory = MachineDir(self.paths, name)
        if not directory.root.exists():
            return
        if directory.machine_file.exists():
            for address in self.machine(name)["addresses"]:
                self.unlisten(address)
            self._stop(name)
        self.host_calls.close(name)
        remove_tree(directory.root)

    def console(self, name: str) -> str:
        file = self.directory(name).console_file
        return file.read_text(errors="replace") if file.exists() else ""

    def _console(self, name: str, text: str) -> None:
        with self.directory(name).console_file.open("a") as stream:
            stream.write(text)

    def run(
        self,
        name: str,
        argv: list[str],
        env: dict[str, str] | None = None,
        stdin: str | None = None,
        timeout_s: float | None = None,
        user: str = "root",
    ) -> dict[str, Any]:
        if not self.is_running(name):
            raise LabError(f"{name} is switched off")
        command = argv if user == "root" else ["/usr/bin/sudo", "-H", "-u", user, "--", *argv]
        variables = {"PATH": MACHINE_PATH, "HOME": "/root", "LANG": "C.UTF-8", **(env or {})}
        try:
            done = subprocess.run(
                self._enter(name, command),
                input=base64.b64decode(stdin) if stdin else b"",
                capture_output=True,
                timeout=timeout_s,
                env=variables,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise LabError(f"{' '.join(argv)[:100]} on {name} ran longer than {timeout_s} s") from None
        streams = {
            key: base64.b64encode(data).decode() for key, data in (("stdout", done.stdout), ("stderr", done.stderr))
        }
        return {"returncode": done.returncode, **streams}

    def _enter(self, name: str, argv: list[str]) -> list[str]:
        return [*self._nsenter(name), "/bin/sh", "-c", 'cd; exec "$@"', "sh", *argv]

    def _nsenter(self, name: str) -> list[str]:
        flags = ["-U", "-m", "-p", "-u", "-i", "-S", "0", "-G", "0"]
        clock = ["-T"] if os.path.exists("/proc/self/ns/time") else []
        return ["nsenter", "-t", str(self.pids[name]), *flags, *clock, "--"]

    # ---- what is there

    def names(self) -> list[str]:
        return sorted(path.parent.name for path in self.paths.machines.glob("*/machine.json"))

    def directory(self, name: str) -> MachineDir:
        directory = MachineDir(self.paths, name)
        if not directory.machine_file.exists():
            raise LabError(f"there is no machine called {name}; there are {', '.join(self.names())}")
        return directory

    def machine(self, name: str) -> dict[str, Any]:
        return dict(json.loads(self.directory(name).machine_file.read_text()))

    def is_running(self, name: str) -> bool:
        pid = self.pids.get(name)
        return pid is not None and _is_alive(pid, self.state.marker)

    def _adopted(self, name: str) -> int | None:
        file = self.paths.machines / name / "init.pid"
        if not file.exists():
            return None
        pid = int(file.read_text())
        return pid if _is_alive(pid, f"{self.state.marker}:machine:{name}") else None

    def recover(self) -> None:
        """Take over what runs, start what should, listen for all."""
        for name in self.names():
            pid = self._adopted(name)
            if pid is not None:
                self.pids[name] = pid
            for address in self.machine(name)["addresses"]:
                self.listen(address)
            (self.paths.machines / name / "hostcall.sock").unlink(missing_ok=True)
            if self.directory(name).power_file.read_text() == "on":
                if pid is not None:  # its host call socket was the old daemon's
                    self._stop(name)
                try:
                    self.boot(name)
                except LabError:  # one broken machine must not take the others with it
                    traceback.print_exc()

    # ---- SSH

    def listen(self, address: str) -> None:
        if address in self.listeners:
            return
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, SSH_PORT))
        listener.listen(64)
        listener.setblocking(False)
        self.listeners[address] = listener
        self.selector.register(listener, selectors.EVENT_READ, ("ssh", address))

    def unlisten(self, address: str) -> None:
        listener = self.listeners.pop(address, None)
        if listener is not None:
            self.selector.unregister(listener)
            listener.close()

    def accept_ssh(self, address: str, listener: socket.socket) -> None:
        with contextlib.suppress(BlockingIOError):
            connection, _ = listener.accept()
            connection.setblocking(True)
            threading.Thread(target=self._serve_ssh, args=(address, connection), daemon=True).start()

    def _serve_ssh(self, address: str, connection: socket.socket) -> None:
        with connection:
            name = self._machine_at(address)
            if name is None or not self.is_running(name) or self._is_paused(name):
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            log = self.directory(name).path("/var/log/sshd.log")
            argv = ["/usr/sbin/sshd", "-i", "-E", "/var/log/sshd.log"]
            log.touch()
            process = subprocess.Popen(
                [*self._nsenter(name), *argv],
                stdin=connection.fileno(),
                stdout=connection.fileno(),
                stderr=subprocess.DEVNULL,
                cwd="/",
                env={"PATH": MACHINE_PATH},
            )
        process.wait()

    def _machine_at(self, address: str) -> str | None:
        owner = self.floating.get(address)
        if owner is not None:
            return owner if self._ssh_allowed(address) else None
        return next((name for name in self.names() if address in self.machine(name)["addresses"]), None)

    # ---- floating IPs, in the place of Neutron's L3 agent

    floating: dict[str, str] = {}  # noqa: RUF012  replaced whole, never changed in place

    def watch_floating_ips(self) -> None:
        path = self.paths.databases / "neutron.db"
        seen: int | None = None
        connection: sqlite3.Connection | None = None
        while True:
            time.sleep(FLOATING_POLL_S)
            try:
                if connection is None and path.exists():
                    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)
                if connection is None:
                    continue
                version = connection.execute("PRAGMA data_version").fetchone()[0]
                if version != seen:
                    self._update_floating_ips(dict(connection.execute(FLOATING_QUERY).fetchall()))
                    seen = version
            except sqlite3.Error:
                connection = None

    def _update_floating_ips(self, wanted: dict[str, str]) -> None:
        for address in set(self.floating) - set(wanted):
            self.unlisten(address)
        self.floating = {address: device for address, device in wanted.items() if device}
        for address in self.floating:
            with contextlib.suppress(OSError):
                self.listen(address)

    def _ssh_allowed(self, address: str) -> bool:
        with contextlib.closing(sqlite3.connect(self.paths.databases / "neutron.db", timeout=5)) as connection:
            return bool(connection.execute(SSH_ALLOWED_QUERY, (address,)).fetchone()[0])

    def _power(self, name: str, action: str) -> None:
        time.sleep(0.05)  # let the caller's program end first
        try:
            self.reboot(name) if action == "reboot" else self.shutdown(name)
        except LabError as error:
            self._console(name, f"{error}\n")

    # ---- main loop

    def serve(self) -> None:
        control = self.paths.sockets / "machines.sock"
        control.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(control))
        listener.listen(64)
        listener.setblocking(False)
        self.selector.register(listener, selectors.EVENT_READ, ("control", ""))
        threading.Thread(target=self.watch_floating_ips, daemon=True).start()
        while True:
            for key, _ in self.selector.select(1.0):
                kind, address = key.data
                if kind == "ssh":
                    self.accept_ssh(address, key.fileobj)  # type: ignore[arg-type]
                else:
                    connection, _ = listener.accept()
                    threading.Thread(target=self._control, args=(connection,), daemon=True).start()
            self.children = {child for child in self.children if child.poll() is None}
            self._restart_dead()

    def _restart_dead(self) -> None:
        """A machine whose init was killed comes back, as a server does after its watchdog's reset."""
        for name in [name for name, pid in list(self.pids.items()) if not _is_alive(pid, self.state.marker)]:
            if self.lock.acquire(blocking=False):
                try:
                    if name in self.pids and not self.is_running(name) and self._should_run(name):
                        self.boot(name)
                except Exception:  # the daemon serves the others
                    traceback.print_exc()
                    self.pids.pop(name, None)
                finally:
                    self.lock.release()

    def _should_run(self, name: str) -> bool:
        file = self.paths.machines / name / "power"
        return file.exists() and file.read_text() == "on"

    def _control(self, connection: socket.socket) -> None:
        operations: dict[str, Callable[..., Any]] = {
            "ping": self.ping, "list": self.states, "state": self.state_of, "define": self.define, "boot": self.boot,
            "shutdown": self.shutdown, "reboot": self.reboot, "destroy": self.destroy, "console": self.console, "run": self.run,
            "pause": self.pause, "unpause": self.unpause,
        }  # fmt: skip
        with connection:
            connection.setblocking(True)
            with connection.makefile("rb") as stream:
                line = stream.readline()
            if not line:
                return
            request = json.loads(line)
            try:
                answer = {"result": operations[request.pop("op")](**request)}
            except LabError as error:
                answer = {"error": str(error)}
            except Exception as error:
                traceback.print_exc()
                answer = {"error": f"{type(error).__name__}: {error}"}
            with contextlib.suppress(OSError):
                connection.sendall(json.dumps(answer).encode() + b"\n")


def _write_json(path: Path, data: dict[str, Any]) -> None:
    text = json.dumps(data, indent=1).encode()
    if path.exists():
        # the file is mounted into a running machine, so its inode stays: written over at once, blanks at the end
        # instead of a shorter file, for others read it meanwhile
        with path.open("r+b", buffering=0) as stream:
            stream.write(text.ljust(path.stat().st_size))
    else:
        fresh = path.with_suffix(".new")
        fresh.write_bytes(text)
        fresh.replace(path)


def _is_alive(pid: int, marker: str) -> bool:
    try:
        return marker in Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
    except OSError:
        return False


def main(arguments: list[str]) -> None:
    """Serve the lab called by the first argument until SIGTERM."""
    machines = Machines(load(LabPaths.of(arguments[0])))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    layout.copy_layers(machines.paths)
    machines.recover()
    machines.serve()


if __name__ == "__main__":
    main(sys.argv[1:])
