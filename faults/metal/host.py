"""A host of the metal tier, as its operator reaches it."""

from __future__ import annotations

import contextlib
import copy
import shlex
import subprocess
import time
from collections.abc import Iterable
from typing import Any

from faults.inject import set_path
from lab.errors import LabError
from lab.metal import tier
from lab.state import SSH_PORT, LabState

COMMAND_LIMIT_S, BOOT_LIMIT_S = 300, 240
POLL_S = 1.0
BOOT_ID = "cat /proc/sys/kernel/random/boot_id"
SAVED = "/root/before-fault"
SAVE = f"printf '%s\\n' {{files}} >{SAVED}.list; ls -d {{files}} 2>/dev/null | tar -cPf {SAVED}.tar -T -"
PUT_BACK = f"[ ! -e {SAVED}.list ] || {{ xargs rm -rf <{SAVED}.list; tar -xPf {SAVED}.tar; rm {SAVED}.*; }}"
"""The list stays until the files are back: what a run that was killed had broken is put back by the next."""
RESTART_COMPUTE = "systemctl reset-failed nova-compute; systemctl restart nova-compute"
RESTART_TO_END = (
    "systemctl restart nova-compute; for n in $(seq 120); do "
    'systemctl is-failed -q nova-compute || [ "$(systemctl show -P NRestarts nova-compute)" -ge 2 ] && exit 0; '
    "sleep 1; done; echo nova-compute was to end at its start, and runs; exit 1"
)
"""It needs longer to fail than systemd counts starts: it is started again for ever."""


class MetalHost:
    """Commands of root, reboots, other hardware."""

    def __init__(self, state: LabState, name: str) -> None:
        self.state, self.name = state, name
        self._as_declared = copy.deepcopy(state.declared(name))

    def run(self, command: str) -> str:
        """Carry out a command as root.

        Raises:
            LabError: it failed.
            subprocess.TimeoutExpired: it did not end.
        """
        files = ["-i", str(self.state.paths.secrets / "id_ed25519")]
        files += ["-o", f"UserKnownHostsFile={self.state.paths.state / 'known_hosts'}", "-o", "BatchMode=yes"]
        where = ["-p", str(SSH_PORT), f"root@{self.state.host_addresses[self.name]}"]
        done = subprocess.run(
            ["ssh", *files, *where, command], capture_output=True, text=True, timeout=COMMAND_LIMIT_S, check=False
        )
        if done.returncode:
            raise LabError(f"{self.name}: `{command}`: exit code {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout

    def save(self, files: Iterable[str]) -> None:
        """Keep files as they are now.

        Raises:
            LabError: they cannot be kept.
        """
        self.run(SAVE.format(files=shlex.join(files)))

    def put_back(self) -> None:
        """Put back what was saved.

        Raises:
            LabError: it cannot be put back.
        """
        self.run(PUT_BACK)

    def restart_compute(self) -> None:
        """Restart nova-compute and wait until it has reported.

        Raises:
            LabError: it does not come up.
        """
        self.run(RESTART_COMPUTE)
        self.wait_for_report()

    def reboot(self) -> None:
        """Reboot, and wait until another kernel answers and nova-compute has reported.

        Raises:
            LabError: it does not come back.
        """
        before = self.run(BOOT_ID)
        self.run("systemctl --no-block reboot")
        deadline = time.monotonic() + BOOT_LIMIT_S
        while time.monotonic() < deadline:
            with contextlib.suppress(LabError, subprocess.TimeoutExpired):
                if self.run(BOOT_ID) != before:
                    return self.wait_for_report()
            time.sleep(POLL_S)
        raise LabError(f"{self.name} did not come back from its reboot within {BOOT_LIMIT_S} s")

    def start_again(self, hardware: dict[str, Any]) -> None:
        """Switch the machine off, if it is on, and start it with what the declaration says, but for `hardware`.

        Raises:
            LabError: it does not come back.
        """
        tier.power_off(self.state)
        declared = self.state.declared(self.name)
        declared.clear()
        declared.update(copy.deepcopy(self._as_declared))
        for path, value in hardware.items():
            set_path(declared, path, value)
        tier.stop_cards(self.state, self.name)
        started = time.time()
        tier.wait(self.state, tier.start(self.state), started)

    def wait_for_report(self) -> None:
        """Wait until nova-compute has reported."""
        tier.wait(self.state, [self.name], time.time())
