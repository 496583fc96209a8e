"""What a small guest prints on its console at each boot: no login, address or driver is needed."""

from __future__ import annotations

import re
from dataclasses import dataclass

from probes.pci_devices import GPU_CLASSES
from probes.reading import bounded
from probes.references import NVIDIA_VENDOR_ID

USER_DATA = """#cloud-config
bootcmd:
  - - sh
    - -c
    - |
      report() {
        read -r boot </proc/sys/kernel/random/boot_id
        echo "GPUACC-BEGIN $boot"
        for d in /sys/bus/pci/devices/*; do
          read -r vendor <"$d/vendor"; read -r device <"$d/device"; read -r class <"$d/class"
          echo "GPUACC-PCI ${d##*/} $vendor $device $class"
        done
        echo "GPUACC-END $boot"
      }
      if [ -w /dev/console ]; then report >/dev/console; else report; fi
"""
REBOOT_ONCE = """runcmd:
  - [sh, -c, reboot]
"""
"""Appended to USER_DATA: the guest boots itself again, once."""
WORD = re.compile(r"GPUACC-(BEGIN|PCI|END) ([0-9a-fx:. -]+)")


@dataclass(frozen=True)
class BootReport:
    """One boot of a guest."""

    boot_id: str
    gpus: tuple[str, ...]
    """Product ids of NVIDIA's GPUs, e.g. ("15f8", "15f8")."""


def parse(text: str) -> tuple[BootReport, ...]:
    """Every complete report of a console, oldest first; kernel messages between its lines do not matter.

    Raises:
        ParseError: it is longer than any console that Nova gives.
    """
    found: list[BootReport] = []
    boot_id, gpus = "", list[str]()
    for kind, rest in WORD.findall(bounded("guest console", text)):
        words = rest.split()
        if kind == "BEGIN":
            boot_id, gpus = words[0] if words else "", []
        elif kind == "PCI" and len(words) == 4:
            _, vendor, product, class_code = words
            if vendor.removeprefix("0x") == NVIDIA_VENDOR_ID and class_code.removeprefix("0x")[:4] in GPU_CLASSES:
                gpus.append(product.removeprefix("0x"))
        elif kind == "END" and words and words[0] == boot_id:
            found.append(BootReport(boot_id, tuple(gpus)))
    return tuple(found)
