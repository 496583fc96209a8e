"""The load of all cards of many machines at once: payloads are laid down, started, waited for and fetched.

Each step may be repeated after a lost connection and by the next run: what was started goes on where it was.
"""

from __future__ import annotations

import hashlib
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

from access import detached
from access.detached import State
from access.errors import AcceptanceError, Blocked, CommandError, ConnectError, MeasurementError
from access.host import CommandOutput, Host, output_of
from access.progress import Progress
from judging.levels import Level
from probes import load
from probes.load.loaded import Loaded
from provisioning.payloads import Payloads

AT_ONCE = 32
"""Machines that are asked at the same time."""
PATIENCE_S = 900.0
"""So long a machine may not answer before it counts as lost: under full load it answers late, a boot takes minutes."""
LONGEST_PAUSE_S = 60.0
MARGIN_S = 600.0
"""Building, reading the cards and ending, beside the loads themselves."""
DCGM_S = {1: 120, 2: 900, 3: 3600, 4: 10800}
"""The longest that a level of DCGM took, doubled."""
LAST_KERNEL_LINE = "dmesg | grep . | tail -n 1 | cut -c 1-2000"
BOOT = "cat /proc/sys/kernel/random/boot_id"
NO_ANSWER = (ConnectError, Blocked)


@dataclass
class Machine:
    """One machine that is loaded."""

    name: str
    host: Host
    identity: str
    """Tells it from the next one of its name: the instance's id."""
    server: str
    """Where it runs; "" where that is not known."""
    read_server: Callable[[], str] = lambda: ""
    """Counters of the server's links, as text."""
    payload: str = ""
    plan: load.Plan | None = None
    texts: dict[str, str] = field(default_factory=dict)
    evidence: list[CommandOutput] = field(default_factory=list)
    silent_since: float | None = None
    ended: bool = False
    lost: str = ""
    missing: str = ""

    @property
    def is_open(self) -> bool:
        """Whether something is still to be done with it."""
        return not (self.ended or self.lost or self.missing)

    def result(self, level: Level) -> Loaded:
        """What is known in the end."""
        planned = {"card_load": self.plan.own_s, "gpu_burn": self.plan.burn_s} if self.plan else {}
        return Loaded(self.name, self.server, level.name, dict(self.texts), planned, self.lost, self.missing)


class Loading:
    """One load of all machines."""

    def __init__(
        self,
        machines: Sequence[Machine],
        level: Level,
        payloads: Payloads,
        progress: Progress,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._machines = machines
        self._level = level
        self._payloads = payloads
        self._progress = progress
        self._clock, self._sleep = clock, sleep

    def run(self) -> dict[str, Loaded]:
        """All steps; a machine that fails leaves the others alone."""
        self._for_all(self._lay_down)
        self._for_each_server(self._copy_alone)
        self._for_all(self._begin)
        self._wait()
        self._for_all(self._fetch, [machine for machine in self._machines if machine.ended and not machine.missing])
        return {machine.name: machine.result(self._level) for machine in self._machines}

    def _for_all(self, step: Callable[[Machine], None], machines: Sequence[Machine] | None = None) -> None:
        chosen = [machine for machine in self._machines if machine.is_open] if machines is None else machines
        with ThreadPoolExecutor(AT_ONCE) as threads:
            list(threads.map(step, chosen))

    def _for_each_server(self, step: Callable[[Machine], None]) -> None:
        """Servers side by side, the machines of one server one after another."""
        groups: Mapping[str, list[Machine]] = defaultdict(list)
        for machine in self._machines:
            if machine.is_open:
                groups[machine.server].append(machine)  # those of unknown servers may share one

        def one_after_another(group: list[Machine]) -> None:
            for machine in group:
                step(machine)

        with ThreadPoolExecutor(AT_ONCE) as threads:
            list(threads.map(one_after_another, groups.values()))

    def _lay_down(self, machine: Machine) -> None:
        with _failures_of(machine):
            path = load.burn_path(machine.host)
            own_s, burn_s = self._level.shares(burns=bool(path))
            machine.plan = load.Plan(self._level.copies_s, own_s, burn_s, path, self._level.dcgm)
            files = {"payload": load.payload(machine.plan), **load.sources()}
            digest = hashlib.sha256("\0".join(files.values()).encode()).hexdigest()
            machine.payload, before = self._payloads.open(machine.name, machine.identity, digest)
            if before and before != machine.payload:
                detached.remove(machine.host, before)  # it would work the same cards
            if before == machine.payload and detached.look(machine.host, machine.payload).state is not State.ABSENT:
                self._progress.detail(f"{machine.name}: the load that an earlier run began goes on")
                return
            files |= {
                "kernel_before": output_of(machine.host, LAST_KERNEL_LINE, as_root=True).stdout,
                "server_before": machine.read_server(),
                "boot": output_of(machine.host, BOOT).stdout,
            }
            detached.put(machine.host, machine.payload, files)

    def _copy_alone(self, machine: Machine) -> None:
        with _failures_of(machine):
            if detached.look(machine.host, machine.payload).state is State.ABSENT:
                command = load.alone(detached.folder_of(machine.payload))
                machine.evidence.append(output_of(machine.host, command, timeout_s=load.BUILD_S))

    def _begin(self, machine: Machine) -> None:
        with _failures_of(machine):
            detached.begin(machine.host, machine.payload)

    def _wait(self) -> None:
        began = self._clock()
        limit_s = self._level.seconds + DCGM_S[self._level.dcgm] + MARGIN_S
        told = 0.0
        while any(machine.is_open for machine in self._machines):
            self._for_all(self._look)
            waited = self._clock() - began
            running = [machine for machine in self._machines if machine.is_open]
            if waited > limit_s + PATIENCE_S:
                for machine in running:
                    machine.missing = f"its load did not end in {limit_s:.0f} s; it is left running there"
            if running and waited - told >= LONGEST_PAUSE_S:
                told = waited
                self._progress.detail(
                    f"{len(running)} machines under load since {waited:.0f} s of {limit_s:.0f} at most"
                )
            if running:
                self._sleep(max(0.5, min(LONGEST_PAUSE_S, waited / 20)))

    def _look(self, machine: Machine) -> None:
        """A machine that does not answer has some time: its payload does not need the connection."""
        try:
            look = detached.look(machine.host, machine.payload)
        except (*NO_ANSWER, CommandError) as error:
            machine.silent_since = machine.silent_since if machine.silent_since is not None else self._clock()
            if self._clock() - machine.silent_since >= PATIENCE_S:
                machine.lost = f"it does not answer any more since its load began: {_first_line(error)}"
            return
        machine.silent_since = None
        if look.state is State.RUNNING:
            return
        if look.state is State.ENDED:
            machine.ended = True
            return
        with _failures_of(machine):
            self._judge_end(machine)

    def _judge_end(self, machine: Machine) -> None:
        """It was started and is gone without its last words: did the machine start again meanwhile?"""
        before = detached.fetch(machine.host, machine.payload, "boot")
        now = output_of(machine.host, BOOT).stdout
        if before is not None and before.strip() != now.strip():
            machine.lost = "it was started again while its cards were loaded"
        else:
            machine.missing = f"its load was ended by somebody\n  what to do: {detached.KILLED_REMEDY}"
        self._payloads.close(machine.name)

    def _fetch(self, machine: Machine) -> None:
        with _failures_of(machine):
            for file in ("kernel_before", "server_before", *load.WRITTEN):
                text = detached.fetch(machine.host, machine.payload, file)
                if text is not None:
                    machine.texts[file] = text
            machine.texts["kernel_after"] = output_of(machine.host, "dmesg", as_root=True).stdout
            machine.texts["server_after"] = machine.read_server()

    def close(self) -> None:
        """The results are written down: the payloads are removed."""
        for machine in self._machines:
            if machine.ended and not machine.missing:
                self._payloads.close(machine.name)
                with _failures_of(machine):
                    detached.remove(machine.host, machine.payload)


@contextmanager
def _failures_of(machine: Machine) -> Iterator[None]:
    """What goes wrong with one machine is that machine's."""
    try:
        yield
    except (AcceptanceError, Blocked) as error:
        what = "waits for what it needs" if isinstance(error, Blocked) else "could not be loaded"
        machine.missing = machine.missing or f"{what}: {error}"
        if not isinstance(error, MeasurementError | Blocked):
            raise


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0][:300]
