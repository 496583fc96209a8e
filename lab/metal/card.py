"""One simulated card: its configuration space and memory, and what ails it while it runs."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from lab.hosts.hardware import sysfs
from lab.metal.bars import Bar, bars_of
from lab.metal.config_space import ConfigSpace

PAGE_BYTES = 4096
CONFIG_REGION = 7
"""VFIO_PCI_CONFIG_REGION_INDEX of <linux/vfio.h>; regions 0 to 5 are the base address registers."""


class Card:
    """A card as its bus sees it."""

    def __init__(self, gpu: dict[str, Any], ailment: Path) -> None:
        """A card of machine.json. While the file `ailment` says so, it answers all ones, or never ends a reset."""
        function = sysfs.card_function(gpu)
        self.bars: dict[int, Bar] = {bar.register: bar for bar in bars_of(function.bars)}
        self._config = ConfigSpace(sysfs.config_space(function), tuple(self.bars.values()))
        self._memory: dict[tuple[int, int], bytearray] = defaultdict(lambda: bytearray(PAGE_BYTES))
        self._ailment = ailment
        self._is_lost = False

    def size_of(self, region: int) -> int:
        """Bytes of a region; 0 if the card has none of this number."""
        if region == CONFIG_REGION:
            return len(self._config)
        return self.bars[region].size if region in self.bars else 0

    def read(self, region: int, offset: int, count: int) -> bytes:
        """What software reads."""
        if self._is_lost or self._ails("answers_all_ones"):
            return b"\xff" * count
        if region == CONFIG_REGION:
            return self._config.read(offset, count)
        return b"".join(bytes(self._page(region, place)[place % PAGE_BYTES :][:1]) for place in _span(offset, count))

    def write(self, region: int, offset: int, data: bytes) -> None:
        """What software writes."""
        if region == CONFIG_REGION:
            self._config.write(offset, data)
            return
        for place, byte in zip(_span(offset, len(data)), data, strict=True):
            self._page(region, place)[place % PAGE_BYTES] = byte

    def _page(self, region: int, offset: int) -> bytearray:
        return self._memory[region, offset // PAGE_BYTES]

    def reset(self) -> None:
        """Back to the state after power on, its memory empty; a card that is lost in resets does not come back."""
        self._is_lost = self._ails("lost_in_reset")
        self._config.reset()
        self._memory.clear()

    def _ails(self, what: str) -> bool:
        try:
            return bool(json.loads(self._ailment.read_text()).get(what))
        except FileNotFoundError:
            return False


def _span(offset: int, count: int) -> range:
    return range(offset, offset + count)
