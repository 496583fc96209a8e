"""What a card's sensors and counters say now, from its declared state.

Fields of a card in machine.json: `throttle` (thermal, power_brake, power_cap), `temperature_c`, `sensors_fail`,
`ecc`, `ecc_corrected`, `ecc_uncorrected`, `retired_single_bit`, `retired_double_bit`, `retirement_pending`,
`remapped_rows`, `remap_pending`, `computes_wrong`, `idle_generation`, `lost_bits`, `other_digest`, `replays`,
`after_load` (see `aged`); smi_report has more: `unreadable_fields`,
`recovery_action`, `channel_repair_pending`, `tpc_repair_pending`, `sram_threshold_exceeded`, `inforom_corrupted`,
`fabric_state`, `fabric_status`.
"""

import glob
import os
import sys
import time

sys.path.insert(0, "/usr/local/lib/lab")
import kernel

THROTTLED_CLOCK = {"thermal": 0.42, "power_brake": 0.5, "power_cap": 0.8}
"""Share of its clock that a throttled card keeps."""
HOT = {"thermal": 91}
BUSY = "/dev/shm/gpu-busy."
COPYING = "/dev/shm/gpu-copying."
WORKED = "/dev/shm/gpu-worked."


class Busy:
    """Marks the cards as working while the block runs."""

    def __enter__(self):
        self.path = f"{BUSY}{os.getpid()}"
        open(self.path, "w").close()

    def __exit__(self, *error):
        os.unlink(self.path)


def is_busy():
    """Whether a program computes now."""
    return any(os.path.exists(f"/proc/{path.removeprefix(BUSY)}") for path in glob.glob(BUSY + "*"))


def clock_share(card):
    """Share of its clock that a card has under load."""
    return card.get("clock_share", THROTTLED_CLOCK.get(card.get("throttle"), 1.0))


def temperature_c(card):
    """Temperature in degrees Celsius; None when the sensor does not answer."""
    if card.get("sensors_fail"):
        return None
    return card.get("temperature_c", HOT.get(card.get("throttle"), 62 if is_busy() else 31))


def power_w(card):
    """Power draw in watts; None when the sensor does not answer."""
    if card.get("sensors_fail"):
        return None
    return card["power_limit_w"] * (0.86 * clock_share(card) if is_busy() else 0.105)


def link_generation(card):
    """Generation of the link now: some models lower it while idle."""
    now = card["link"]["generation"]
    return now if is_busy() else min(now, card.get("idle_generation", now))


PARTS = 4
"""A load is written down in so many parts, so that what comes of it comes while it goes on."""
LONGEST_S = 4.0
"""Simulated seconds of a long load pass in so many of the clock's."""


def wait(seconds, longest_s=LONGEST_S):
    """Let simulated seconds pass."""
    time.sleep(min(seconds, longest_s))


def worked_s(card):
    """Simulated seconds that a card has worked under load since its machine began."""
    try:
        with open(f"{WORKED}{card['uuid']}") as stream:
            return sum(map(float, stream))
    except FileNotFoundError:
        return 0.0


def work(card, seconds):
    """Work a card; what comes after so long (`after_load`) comes, its lines in the kernel's log included."""
    for _ in range(PARTS):
        wait(seconds / PARTS, LONGEST_S / PARTS)
        has_worked(card, seconds / PARTS)


def has_worked(card, seconds):
    """Write down what a card worked."""
    before = worked_s(card)
    with open(f"{WORKED}{card['uuid']}", "a") as stream:
        stream.write(f"{seconds}\n")
    later = card.get("after_load", {})
    if before < later.get("seconds", 0) <= before + seconds:
        for text in later.get("xids", ()):
            kernel.log(f"NVRM: Xid (PCI:{card['address'].partition('.')[0]}): {text}")


def aged(card):
    """A card after what it has worked: `after_load` is {seconds: 200, then: {…}, xids: […]}, with fields of a card."""
    later = card.get("after_load")
    return card if not later or worked_s(card) < later["seconds"] else {**card, **later["then"]}


class Copying:
    """Marks that a card copies while the block runs."""

    def __enter__(self):
        self.path = f"{COPYING}{os.getpid()}"
        open(self.path, "w").close()

    def __exit__(self, *error):
        os.unlink(self.path)


def copying():
    """How many cards copy now."""
    return sum(os.path.exists(f"/proc/{path.removeprefix(COPYING)}") for path in glob.glob(COPYING + "*"))


def copy(seconds):
    """Let simulated seconds of copies pass; how many cards copied at most at the same time."""
    most, ends = 1, time.monotonic() + min(seconds, LONGEST_S)
    with Copying():
        while time.monotonic() < ends:
            most = max(most, copying())
            time.sleep(0.05)
    return most
