"""What a card's sensors and counters say now, from its declared state.

Fields of a card in machine.json: `throttle` (thermal, power_brake, power_cap), `temperature_c`, `sensors_fail`,
`ecc`, `ecc_corrected`, `ecc_uncorrected`, `retired_single_bit`, `retired_double_bit`, `retirement_pending`,
`remapped_rows`, `remap_pending`, `computes_wrong`, `idle_generation`; smi_report has more: `unreadable_fields`,
`recovery_action`, `channel_repair_pending`, `tpc_repair_pending`, `sram_threshold_exceeded`, `inforom_corrupted`,
`fabric_state`, `fabric_status`.
"""

import glob
import os

THROTTLED_CLOCK = {"thermal": 0.42, "power_brake": 0.5, "power_cap": 0.8}
"""Share of its clock that a throttled card keeps."""
HOT = {"thermal": 91}
BUSY = "/dev/shm/gpu-busy."


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
