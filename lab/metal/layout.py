"""Where the files of one virtual machine lie outside of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lab.paths import LabPaths


@dataclass(frozen=True)
class MetalDir:
    """Files of the machine `name` of the lab `paths`; sockets have short paths, see LabPaths.sockets."""

    paths: LabPaths
    name: str

    @property
    def root(self) -> Path:
        """All that the machine keeps."""
        return self.paths.state / "metal" / self.name

    @property
    def disk(self) -> Path:
        """What it wrote, over the disk that all machines share."""
        return self.root / "disk.qcow2"

    @property
    def seed(self) -> Path:
        """The archive of its own files, which it unpacks at its first boot."""
        return self.root / "seed.tar"

    @property
    def console(self) -> Path:
        """What its serial line printed since it was started last."""
        return self.paths.logs / f"console-{self.name}.log"

    @property
    def cards(self) -> Path:
        """What its cards are, a list as in a machine's machine.json."""
        return self.root / "cards.json"

    def socket_of(self, card: int) -> Path:
        """Where a card of the machine, counted from 0, is served."""
        return self.paths.sockets / f"{self.name}-gpu{card}.sock"

    def ailment_of(self, card: int) -> Path:
        """What ails a card: {"answers_all_ones": true} or {"lost_in_reset": true}; without the file nothing does."""
        return self.root / f"gpu{card}.json"

    @property
    def control(self) -> Path:
        """QEMU's monitor (QMP)."""
        return self.paths.sockets / f"{self.name}-qmp.sock"
