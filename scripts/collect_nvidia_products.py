"""Read NVIDIA's product ids and chips from pci.ids (Debian's package of that name).

python scripts/collect_nvidia_products.py /usr/share/misc/pci.ids > probes/references/nvidia_products.yaml
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

VENDOR = re.compile(r"[0-9a-f]{4}  ")
PRODUCT = re.compile(r"\t([0-9a-f]{4})  (.+)")


def main(path: Path) -> None:
    """Print `id: chip and name` for every product of vendor 10de."""
    text = path.read_text(encoding="utf-8")
    date = re.search(r"^#\s*Date:\s*(\S+)", text, re.M)
    print(f"# Made by scripts/collect_nvidia_products.py from pci.ids of {date[1] if date else '?'}; do not edit.")
    print("# https://pci-ids.ucw.cz/, 3-clause BSD License")
    ours = False
    for line in text.splitlines():
        if VENDOR.match(line):
            ours = line.startswith("10de ")
        elif ours and (found := PRODUCT.match(line)):
            name = found[2].replace('"', "'")
            print(f'"{found[1]}": "{name}"')


main(Path(sys.argv[1]))
