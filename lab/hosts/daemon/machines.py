"""The machines of one lab: what the client may ask for. The operations are documented in the client."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lab.errors import LabError
from lab.files import remove_tree
from lab.guests import hooks
from lab.hosts import contents
from lab.hosts.boot import boot
from lab.hosts.daemon.host_calls import HostCalls
from lab.hosts.daemon.inits import MACHINE_PATH, Inits
from lab.hosts.hardware import card_memory, declaration
from lab.hosts.layout import MachineDir
from lab.services.deployed import all_on, asked
from lab.state import LabState


class Machines:
    """All machines of one lab. `listen` and `unlisten` open and close the SSH port of an address."""

    def __init__(self, state: LabState, listen: Callable[[str], None], unlisten: Callable[[str], None]) -> None:
        self.state = state
        self.paths = state.paths
        self.inits = Inits(state.paths, state.marker)
        self._listen = listen
        self._unlisten = unlisten
        self._lock = threading.RLock()
        self._host_calls = HostCalls(state.paths, self.inits.pids, self._power)
        self._first_boots: set[subprocess.Popen[bytes]] = set()

    def ping(self) -> dict[str, Any]:
        return {
            "pid": os.getpid(),
            "machines": len(self.names()),
            "running": len([n for n in self.names() if self.inits.is_running(n)]),
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
            "running": self.inits.is_running(name),
            "pid": self.inits.pids.get(name),
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
        is_new = _write_machine(directory, machine)
        if is_new:
            key = (self.paths.secrets / "id_ed25519.pub").read_text()
            user = "stack" if machine["kind"] == "undercloud" else "heat-admin"
            contents.populate(directory, machine, {user: key, "root": key})
            directory.power_file.write_text("off")
        self._listen(machine["addresses"][0])

    def _define_guest(
        self, directory: MachineDir, guest: dict[str, Any], image: str | None, seed: dict[str, Any] | None
    ) -> None:
        system = hooks.image_os(Path(image)) if image else self.machine(directory.name)["os"]
        machine = declaration.guest_machine({**guest, "os": system}, self.machine(guest["host"]))
        for card in machine["gpus"]:
            card.update(card_memory.settings(MachineDir(self.paths, guest["host"]), card["host_address"]))
        is_new = _write_machine(directory, machine)
        if is_new:
            contents.populate(directory, machine, {})
            hooks.prepare(directory, Path(image) if image else None, seed or {})
            directory.power_file.write_text("off")

    def boot(self, name: str) -> dict[str, Any]:
        with self._lock:
            self.directory(name).power_file.write_text("on")
            if not self.inits.is_running(name):
                self._start(name)
        return self.state_of(name)

    def _start(self, name: str) -> None:
        directory = self.directory(name)
        machine = self.machine(name)
        try:
            boot.boot(directory, machine)
        except boot.Panic as panic:
            self._write_console(name, f"[    0.000000] Linux version {machine['os']['kernel']}\n")
            self._write_console(name, f"[    0.812345] {panic}\n")
            return
        if not (directory.root / "hostcall.sock").exists():
            self._host_calls.open(name)
        self.inits.start(name)
        self.run(name, ["/bin/sh", "-c", contents.FIRST_START])
        if machine["kind"] == "compute":
            self.run(name, ["/bin/sh", "-c", contents.libvirtd(machine)])
        for service in all_on(self.state, name) if self.state.layout else ():
            self.run(name, ["/usr/local/lib/lab/nova-process", asked(self.state, service)])
        release = (directory.proc / "osrelease").read_text().strip()
        self._write_console(name, f"[    0.000000] Linux version {release}\n")
        if machine["kind"] == "guest" and not machine.get("appliance_kernel"):
            self._first_boot(name)

    def _first_boot(self, name: str) -> None:
        argv = hooks.firstboot_argv(self.directory(name))
        if argv is None:
            return
        with self.directory(name).console_file.open("ab") as console:
            process = subprocess.Popen(
                self.inits.enter_home(name, argv),
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                env={"PATH": MACHINE_PATH, "HOME": "/root"},
            )
        self._first_boots.add(process)

    def shutdown(self, name: str) -> dict[str, Any]:
        self.directory(name).power_file.write_text("off")
        self._stop(name)
        return self.state_of(name)

    def _stop(self, name: str) -> None:
        with self._lock:
            self._paused_file(name).unlink(missing_ok=True)
            self.inits.stop(name)

    def reboot(self, name: str) -> dict[str, Any]:
        with self._lock:
            self._stop(name)
            return self.boot(name)

    def pause(self, name: str) -> dict[str, Any]:
        self._signal_all(name, "STOP")
        self.directory(name)
        self._paused_file(name).touch()
        return self.state_of(name)

    def unpause(self, name: str) -> dict[str, Any]:
        self.directory(name)
        self._paused_file(name).unlink(missing_ok=True)
        self._signal_all(name, "CONT")
        return self.state_of(name)

    def _signal_all(self, name: str, kind: str) -> None:
        """Signal every process of the machine: `kill -1` in its init's namespace spares only the caller and init."""
        self.run(name, ["/bin/sh", "-c", f"kill -{kind} -1"])

    def is_paused(self, name: str) -> bool:
        return self._paused_file(name).exists()

    def _paused_file(self, name: str) -> Path:
        return self.paths.machines / name / "paused"

    def destroy(self, name: str) -> None:
        directory = MachineDir(self.paths, name)
        if not directory.root.exists():
            return
        if directory.machine_file.exists():
            for address in self.machine(name)["addresses"]:
                self._unlisten(address)
            self._stop(name)
        self._host_calls.close(name)
        remove_tree(directory.root)

    def console(self, name: str) -> str:
        file = self.directory(name).console_file
        return file.read_text(errors="replace") if file.exists() else ""

    def _write_console(self, name: str, text: str) -> None:
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
        return self.inits.run(name, argv, env, stdin, timeout_s, user)

    def names(self) -> list[str]:
        return sorted(path.parent.name for path in self.paths.machines.glob("*/machine.json"))

    def directory(self, name: str) -> MachineDir:
        directory = MachineDir(self.paths, name)
        if not directory.machine_file.exists():
            raise LabError(f"there is no machine called {name}; there are {', '.join(self.names())}")
        return directory

    def machine(self, name: str) -> dict[str, Any]:
        return dict(json.loads(self.directory(name).machine_file.read_text()))

    def machine_at(self, address: str) -> str | None:
        return next((name for name in self.names() if address in self.machine(name)["addresses"]), None)

    def recover(self) -> None:
        """After a new start of the daemon: take over what runs, boot what should run, listen for all."""
        for name in self.names():
            pid = self.inits.left_by_former_daemon(name)
            if pid is not None:
                self.inits.pids[name] = pid
            for address in self.machine(name)["addresses"]:
                self._listen(address)
            (self.paths.machines / name / "hostcall.sock").unlink(missing_ok=True)
            if self.directory(name).power_file.read_text() == "on":
                if pid is not None:  # its host call socket was the old daemon's
                    self._stop(name)
                try:
                    self.boot(name)
                except LabError:  # one broken machine must not take the others with it
                    traceback.print_exc()

    def look_after(self) -> None:
        """Boot machines whose init was killed, as a watchdog does, and collect first boots that ended."""
        for process in list(self._first_boots):  # others are added meanwhile, by threads that boot
            if process.poll() is not None:
                self._first_boots.discard(process)
        for name in self.inits.dead():
            if self._lock.acquire(blocking=False):
                try:
                    if name in self.inits.pids and not self.inits.is_running(name) and self._should_run(name):
                        self.boot(name)
                except Exception:  # the daemon serves the others
                    traceback.print_exc()
                    self.inits.pids.pop(name, None)
                finally:
                    self._lock.release()

    def _should_run(self, name: str) -> bool:
        file = self.paths.machines / name / "power"
        return file.exists() and file.read_text() == "on"

    def _power(self, name: str, action: str) -> None:
        time.sleep(0.05)  # let the caller's program end first
        try:
            self.reboot(name) if action == "reboot" else self.shutdown(name)
        except LabError as error:
            with contextlib.suppress(LabError):
                self._write_console(name, f"{error}\n")


def _write_machine(directory: MachineDir, machine: dict[str, Any]) -> bool:
    """Write machine.json; True if the machine is new."""
    text = json.dumps(machine, indent=1).encode()
    file = directory.machine_file
    if file.exists():
        # The file is mounted into a running machine, so its inode stays: written in one go, with blanks at the end
        # instead of a shorter file, because others read it at the same time.
        with file.open("r+b", buffering=0) as stream:
            stream.write(text.ljust(file.stat().st_size))
        return False
    directory.root.mkdir(parents=True, exist_ok=True)
    fresh = file.with_suffix(".new")
    fresh.write_bytes(text)
    fresh.replace(file)
    return True
