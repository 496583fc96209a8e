"""What a card remembers between two guests: its memory's content and settings, until it is reset.

A host's `cards.json` holds `{ADDRESS: {"memory": hexadecimal pattern, "power_limit_set_w": watts, "resets_made": N}}`.
A card that is declared with `resets: false` ignores the reset altogether; one with `keeps_memory: true` loses its
settings only.
"""

from __future__ import annotations

import fcntl
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lab.hosts.layout import MachineDir
from lab.paths import LabPaths

USAGE = "usage: card-memory write INDEX PATTERN | read INDEX | power-limit INDEX WATTS"


@contextmanager
def _cards(directory: MachineDir) -> Iterator[dict[str, dict[str, Any]]]:
    """The file's content; changes are written back."""
    with (directory.root / "cards.json").open("a+") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        stream.seek(0)
        cards: dict[str, dict[str, Any]] = json.loads(stream.read() or "{}")
        yield cards
        stream.truncate(0)
        stream.write(json.dumps(cards))


def count_reset(directory: MachineDir, address: str) -> int:
    """Which reset of a card this one is, from 1 on."""
    with _cards(directory) as cards:
        number = int(cards.get(address, {}).get("resets_made", 0)) + 1
        cards[address] = {**cards.get(address, {}), "resets_made": number}
    return number


def reset(directory: MachineDir, address: str) -> None:
    """What VFIO's reset does to the card at `address` of a host."""
    machine = json.loads(directory.machine_file.read_text())
    card: dict[str, Any] = next((gpu for gpu in machine["gpus"] if gpu["address"] == address), {})
    if not card.get("resets", True):
        return
    with _cards(directory) as cards:
        before = cards.pop(address, {})
        left = {"memory"} if card.get("keeps_memory") else set()
        kept = {key: before[key] for key in (*sorted(left), "resets_made") if before.get(key)}
        if kept:
            cards[address] = kept


def card_memory(arguments: list[str]) -> int:
    """Tool of a guest, see USAGE; INDEX as the driver counts the guest's cards."""
    if len(arguments) < 2 or arguments[0] not in ("write", "read", "power-limit"):
        print(USAGE, file=sys.stderr)
        return 2
    paths = LabPaths.of(os.environ["LAB_NAME"])
    file = MachineDir(paths, os.environ["LAB_MACHINE"]).machine_file
    guest = json.loads(file.read_text())
    card = guest["gpus"][int(arguments[1])]
    with _cards(MachineDir(paths, guest["host"])) as cards:
        remembered = cards.setdefault(card["host_address"], {})
        if arguments[0] == "read":
            print(remembered.get("memory", ""))
        elif arguments[0] == "write":
            remembered["memory"] = arguments[2]
        else:
            remembered["power_limit_set_w"] = card["power_limit_set_w"] = int(arguments[2])
            file.write_text(json.dumps(guest, indent=1))  # in place: the guest has this very file mounted
    return 0


def settings(directory: MachineDir, address: str) -> dict[str, Any]:
    """What the next guest finds changed on a card that was not reset."""
    with _cards(directory) as cards:
        found: dict[str, Any] = cards.get(address, {})
    return {key: value for key, value in found.items() if key not in ("memory", "resets_made")}
