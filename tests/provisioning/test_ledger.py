"""The ledger knows everything that may exist in the cloud, whatever happened to the process that wrote it."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from access.errors import LedgerError
from provisioning.ledger import Entry, Ledger

ROOT = Path(__file__).resolve().parents[2]
MANY_INTENTS = """
import sys
from pathlib import Path
from provisioning.ledger import Ledger

sys.stdin.readline()
for number in range(int(sys.argv[3])):
    Ledger(Path(sys.argv[1])).intend("server", f"{sys.argv[2]}-{number}")
"""
INTEND_WITH_LITTLE_ROOM = """
import resource, signal, sys
from pathlib import Path
from access.errors import LedgerError
from provisioning.ledger import Ledger

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (40, 40))
try:
    Ledger(Path(sys.argv[1])).intend("server", "x")
except LedgerError:
    sys.exit(7)
"""


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """A ledger whose folder is not there yet."""
    return Ledger(tmp_path / "runs" / "ledger.jsonl")


def open_names(ledger: Ledger) -> list[str]:
    return [entry.name for entry in ledger.open_entries()]


def test_a_ledger_without_a_file_is_empty(ledger: Ledger) -> None:
    """Nothing was made as long as there is no file, and looking makes none."""
    assert ledger.open_entries() == []
    assert not ledger.knows("server", "x")
    assert not ledger.path.exists()


def test_an_intent_is_open_before_anything_is_made(ledger: Ledger) -> None:
    """A process that is killed right after the intent leaves an entry that another one finds."""
    ledger.intend("keypair", "x-key", owner="tenant")

    (entry,) = Ledger(ledger.path).open_entries()
    assert (entry.event, entry.kind, entry.name, entry.owner, entry.id) == (
        "intended",
        "keypair",
        "x-key",
        "tenant",
        None,
    )


def test_what_was_made_is_open_once_with_its_id(ledger: Ledger) -> None:
    """Intent and making are two events of one resource."""
    ledger.intend("image", "x")
    ledger.made("image", "x", id="i-1")

    (entry,) = ledger.open_entries()
    assert (entry.event, entry.id) == ("made", "i-1")


def test_an_id_is_kept_when_the_resource_is_intended_again(ledger: Ledger) -> None:
    """A second intent, as of a run that goes on, does not lose the id of what is there."""
    ledger.made("stack", "x", id="s-1")
    ledger.intend("stack", "x")

    (entry,) = ledger.open_entries()
    assert entry.id == "s-1"


def test_what_is_gone_is_not_open(ledger: Ledger) -> None:
    """Only the entry that is told gone is closed."""
    ledger.intend("server", "one")
    ledger.intend("server", "two")

    ledger.gone(Entry("intended", "server", "one"))

    assert open_names(ledger) == ["two"]
    assert not ledger.knows("server", "one")
    assert ledger.knows("server", "two")


def test_what_is_made_again_after_it_was_gone_is_open(ledger: Ledger) -> None:
    """A name may be used again, and the old id does not come back with it."""
    ledger.made("image", "x", id="old")
    ledger.gone(Entry("made", "image", "x", id="old"))
    ledger.intend("image", "x")

    (entry,) = ledger.open_entries()
    assert entry.id is None


@pytest.mark.parametrize("other", [Entry("gone", "port", "x"), Entry("gone", "server", "x", "tenant")], ids=str)
def test_resources_of_one_name_are_told_apart(ledger: Ledger, other: Entry) -> None:
    """Another kind or another owner is another resource."""
    ledger.intend("server", "x")
    ledger.intend(other.kind, other.name, owner=other.owner)

    ledger.gone(other)

    (entry,) = ledger.open_entries()
    assert (entry.kind, entry.owner) == ("server", "admin")


def test_the_newest_entry_comes_first(ledger: Ledger) -> None:
    """What was made last may use what was made before; an entry is as new as its last event."""
    for name in ("first", "second", "third"):
        ledger.intend("server", name)
    ledger.made("server", "first", id="1")

    assert open_names(ledger) == ["first", "third", "second"]


def test_every_event_is_a_line_with_its_time(ledger: Ledger) -> None:
    """Events are appended, one JSON object each, with a time of known zone."""
    ledger.intend("server", "a\nb")
    ledger.gone(Entry("intended", "server", "a\nb"))

    lines = [json.loads(line) for line in ledger.path.read_text().splitlines()]
    assert [(line["event"], line["name"]) for line in lines] == [("intended", "a\nb"), ("gone", "a\nb")]
    assert all(line["time"].endswith("+00:00") for line in lines)


def test_a_cut_last_line_is_ignored(ledger: Ledger) -> None:
    """A kill within the writing of an intent leaves nothing in the cloud, wherever the line ends."""
    ledger.intend("server", "whole")
    whole = ledger.path.read_bytes()
    ledger.intend("server", "cut")
    both = ledger.path.read_bytes()

    for length in range(len(whole), len(both) - 2):
        ledger.path.write_bytes(both[:length])
        assert open_names(ledger) == ["whole"], length


def test_a_last_line_that_lacks_only_its_end_counts(ledger: Ledger) -> None:
    """An entry is whole without its newline, too."""
    ledger.intend("server", "x")
    ledger.path.write_bytes(ledger.path.read_bytes()[:-1])

    assert open_names(ledger) == ["x"]


@pytest.mark.parametrize("cut", [1, 2, 30])
def test_an_entry_after_a_cut_line_is_read(ledger: Ledger, cut: int) -> None:
    """A new entry begins a line of its own: a cut one does not take it along."""
    ledger.intend("server", "whole")
    ledger.intend("server", "cut")
    ledger.path.write_bytes(ledger.path.read_bytes()[:-cut])

    ledger.intend("server", "next")

    assert open_names(ledger) == (["next", "cut", "whole"] if cut == 1 else ["next", "whole"])


@pytest.mark.parametrize(
    "line", ['{"event": "made", kind}', '{"event": "made"}', '{"event": "made", "kind": "a", "name": "b", "colour": 1}']
)
def test_a_line_that_is_no_entry_is_an_error_with_its_number(ledger: Ledger, line: str) -> None:
    """A whole line that cannot be read may name something that exists: no entry is guessed, none is left out."""
    ledger.intend("server", "x")
    with ledger.path.open("a") as stream:
        stream.write(line + "\n")

    with pytest.raises(LedgerError, match=r"line 2: not a ledger entry"):
        ledger.open_entries()


def test_a_ledger_that_is_no_text_is_an_error(ledger: Ledger) -> None:
    """Bytes that are no UTF-8 are an error of the ledger, not of Python."""
    ledger.intend("server", "x")
    with ledger.path.open("ab") as stream:
        stream.write(b'{"event": "\xff\xfe"}\n')

    with pytest.raises(LedgerError, match="cannot be read"):
        ledger.open_entries()


def test_a_ledger_that_cannot_be_opened_is_an_error(ledger: Ledger) -> None:
    """A path that is no file is an error for who reads and for who writes, and names the path."""
    ledger.path.mkdir(parents=True)

    with pytest.raises(LedgerError, match=rf"{ledger.path} cannot be read"):
        ledger.open_entries()
    with pytest.raises(LedgerError, match=rf"{ledger.path} cannot be written"):
        ledger.intend("server", "x")


def test_an_intent_that_is_not_written_whole_is_an_error(ledger: Ledger) -> None:
    """On a full disk only a part of the line is written: then nothing may be made."""
    ledger.path.parent.mkdir()

    done = subprocess.run([sys.executable, "-c", INTEND_WITH_LITTLE_ROOM, str(ledger.path)], cwd=ROOT, check=False)

    assert done.returncode == 7
    assert ledger.path.stat().st_size == 40
    assert ledger.open_entries() == []


def test_two_processes_lose_nothing(ledger: Ledger) -> None:
    """Workers write at the same time; every line is whole and none is lost."""
    ledger.path.parent.mkdir()
    command = [sys.executable, "-c", MANY_INTENTS, str(ledger.path)]
    writers = [
        subprocess.Popen([*command, name, "100"], cwd=ROOT, stdin=subprocess.PIPE, text=True) for name in ("one", "two")
    ]

    for writer in writers:
        writer.stdin.write("go\n")
        writer.stdin.flush()
    codes = [writer.wait() for writer in writers]
    for writer in writers:
        writer.stdin.close()

    assert codes == [0, 0]
    assert set(open_names(ledger)) == {f"{name}-{number}" for name in ("one", "two") for number in range(100)}


def test_only_its_owner_can_read_it(ledger: Ledger) -> None:
    """The file has mode 0600 and its folder 0700."""
    ledger.intend("server", "x")

    assert stat.S_IMODE(ledger.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(ledger.path.parent.stat().st_mode) == 0o700


def test_a_ledger_with_open_entries_is_not_closed(ledger: Ledger) -> None:
    """The file stays as long as something may exist, and the error names it."""
    ledger.intend("server", "left-behind")

    with pytest.raises(LedgerError, match="1 resources are not gone: left-behind"):
        ledger.close()

    assert open_names(ledger) == ["left-behind"]


def test_a_ledger_is_closed_when_all_is_gone(ledger: Ledger) -> None:
    """Closing removes the file, and closing once more is fine."""
    ledger.intend("server", "x")
    ledger.gone(Entry("intended", "server", "x"))

    ledger.close()
    ledger.close()

    assert not ledger.path.exists()
