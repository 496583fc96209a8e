"""All cards of several machines under load at once: real payloads here, with stand-ins for NVIDIA's tools."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from access import detached
from access.detached import State
from access.errors import ConnectError
from access.host import CommandOutput
from access.local_host import LocalHost
from access.progress import Progress
from judging.levels import Level
from provisioning.loading import PATIENCE_S, Loading, Machine
from provisioning.payloads import Payloads

LEVEL = Level("tiny", load_s=2, copies_s=1, dcgm=1)
SMI = """#!/bin/sh
case "$1" in
-L) echo "GPU 0: A (UUID: GPU-0)"; echo "GPU 1: A (UUID: GPU-1)";;
nvlink) exit 1;;
*) echo "asked $*";;
esac
"""
NVCC = r"""#!/bin/sh
cat >card_load <<'END'
#!/bin/sh
case "$1" in
copy) echo "card_load copy device $2 seconds $3.0 h2d 12.0 d2h 13.0";;
check) until [ -e "$HOME/go" ]; do sleep 0.05; done
  echo "card_load check device $2 seconds $3.0 bytes 100 passes 1 bits 0" \
    "products 20 wrong 0 digest 0123456789abcdef gflops 1.0";;
esac
END
chmod +x card_load
"""


@dataclass
class Place:
    """A home with tools of its own."""

    home: Path

    def let_go(self) -> None:
        """The cards end their work."""
        (self.home / "go").touch()


class Cut(LocalHost):
    """A machine whose connection is lost while `is_cut`."""

    is_cut = False
    home = ""
    path = ""

    def run(self, command: str, *, timeout_s: float = 60.0, as_root: bool = False) -> CommandOutput:
        if self.is_cut:
            raise ConnectError("no route to host")
        set_up = f"export HOME={self.home} PATH={self.path}:$PATH CUDA_PATH={self.home}/cuda; "
        if command.startswith("dmesg"):
            command = "echo '[ 1.0] Linux version 5'"
        return super().run(set_up + command, timeout_s=timeout_s)


@pytest.fixture
def machine(tmp_path: Path) -> Callable[[str, str], tuple[Machine, Cut, Place]]:
    """Machines by name and server, with a folder each."""

    def make(name: str, server: str) -> tuple[Machine, Cut, Place]:
        home = tmp_path / name
        for path, text in (("bin/nvidia-smi", SMI), ("cuda/bin/nvcc", NVCC)):
            (home / path).parent.mkdir(parents=True)
            (home / path).write_text(text)
            (home / path).chmod(0o755)
        host = Cut(name)
        host.home, host.path = str(home), str(home / "bin")
        return Machine(name, host, f"id-of-{name}", server), host, Place(home)

    return make


@pytest.fixture
def payloads(tmp_path: Path) -> Payloads:
    return Payloads(tmp_path / "runs")


def _loading(payloads: Payloads, *machines: Machine, sleep: Callable[[float], None], clock=None) -> Loading:
    words = {"clock": clock} if clock else {}
    return Loading(machines, LEVEL, payloads, Progress(quiet=True), sleep=sleep, **words)


def _once(do: Callable[[], None]) -> Callable[[float], None]:
    """Instead of the first pause `do`, then short ones."""
    calls = itertools.count()
    pause = threading.Event()

    def sleep(seconds: float) -> None:
        if next(calls) == 0:
            do()
        pause.wait(0.05)

    return sleep


def test_all_machines_work_at_once_and_leave_their_results(machine, payloads: Payloads) -> None:
    """Nobody is let go before all of them were begun."""
    made = [machine("a", "s1"), machine("b", "s1"), machine("c", "s2")]

    def let_all_go() -> None:
        for each, host, place in made:
            assert detached.look(host, each.payload).state is State.RUNNING
            place.let_go()

    loading = _loading(payloads, *(each for each, _, _ in made), sleep=_once(let_all_go))
    found = loading.run()

    assert sorted(found) == ["a", "b", "c"]
    for loaded in found.values():
        assert (loaded.missing, loaded.lost) == ("", "")
        assert [card.device for card in loaded.checks] == [0, 1]
        assert [card.h2d_gb_per_s for card in loaded.alone] == [12.0, 12.0]
        assert [card.d2h_gb_per_s for card in loaded.together] == [13.0, 13.0]
        assert list(loaded.steps) == ["copies", "load", "burn", "loaded", "dcgm", "end"]
        assert loaded.texts["before"].startswith("asked -q")
    loading.close()
    assert all(detached.look(host, each.payload).state is State.ABSENT for each, host, _ in made)


def test_a_lost_connection_loses_nothing(machine, payloads: Payloads) -> None:
    each, host, place = machine("a", "s1")

    def cut() -> None:
        host.is_cut = True
        place.let_go()

    pauses = itertools.count()

    def sleep(seconds: float) -> None:
        number = next(pauses)
        if number == 0:
            cut()
        host.is_cut = number < 3
        threading.Event().wait(0.05)

    found = _loading(payloads, each, sleep=sleep).run()

    assert (found["a"].missing, found["a"].lost) == ("", "")
    assert len(found["a"].checks) == 2


def test_a_machine_that_stays_away_is_lost_and_the_others_are_judged(machine, payloads: Payloads) -> None:
    """Its load was begun, and it never answers again: that is a finding, no trouble of ours."""
    (one, cut_host, cut_place), (other, _, place) = machine("a", "s1"), machine("b", "s2")
    time = itertools.count(step=PATIENCE_S / 20)

    def cut() -> None:
        cut_host.is_cut = True
        place.let_go()

    found = _loading(payloads, one, other, sleep=_once(cut), clock=lambda: float(next(time))).run()

    assert "does not answer any more since its load began" in found["a"].lost
    assert (found["b"].missing, found["b"].lost) == ("", "")
    cut_place.let_go()


class Killed(BaseException):
    """The run is killed."""


def test_a_run_that_was_killed_finds_its_own_load_and_goes_on(machine, payloads: Payloads) -> None:
    """The next run starts nothing: it waits for what works there already, and takes its results."""
    each, host, place = machine("a", "s1")

    def kill() -> None:
        raise Killed

    with pytest.raises(Killed):
        _loading(payloads, each, sleep=_once(kill)).run()
    first = each.payload
    again = Machine("a", host, "id-of-a", "s1")
    found = _loading(payloads, again, sleep=_once(place.let_go)).run()

    assert again.payload == first
    assert len(found["a"].checks) == 2
    assert len(list((place.home / detached.ROOT).iterdir())) == 1


@pytest.mark.parametrize("change", ["machine", "level"])
def test_another_machine_or_level_is_loaded_from_its_beginning(machine, payloads: Payloads, change: str) -> None:
    """What an earlier run left working on the same machine is ended: two loads would share the cards."""
    each, host, place = machine("a", "s1")

    def kill() -> None:
        raise Killed

    with pytest.raises(Killed):
        _loading(payloads, each, sleep=_once(kill)).run()
    first = each.payload
    again = Machine("a", host, "another" if change == "machine" else "id-of-a", "s1")
    level = LEVEL if change == "machine" else Level("other", load_s=3, copies_s=1, dcgm=1)
    found = Loading([again], level, payloads, Progress(quiet=True), sleep=_once(place.let_go)).run()

    assert again.payload != first
    assert len(found["a"].checks) == 2
    assert (detached.look(host, first).state is State.ABSENT) == (change == "level")
    detached.remove(host, first)


def test_a_machine_without_a_compiler_is_no_machine_without_a_result(machine, payloads: Payloads) -> None:
    each, _, place = machine("a", "s1")
    (place.home / "cuda/bin/nvcc").unlink()
    found = _loading(payloads, each, sleep=_once(lambda: None)).run()

    assert not found["a"].was_built
    assert "nvcc" in found["a"].texts["build"]
    assert (found["a"].missing, found["a"].lost) == ("", "")


@pytest.fixture(autouse=True)
def nobody_stays(tmp_path: Path) -> Iterator[None]:
    """Whatever a test did, no payload waits for ever."""
    yield
    for folder in tmp_path.glob(f"*/{detached.ROOT}/*"):
        host = Cut("end")
        host.home, host.path = str(folder.parent.parent), "/bin"
        detached.remove(host, folder.name)
