"""The cards of one machine, a socket each: `python -m lab.metal.cards LAB MACHINE MARKER`; see MetalDir.cards."""

from __future__ import annotations

import json
import sys
import threading

from lab.metal import vfio_user
from lab.metal.card import Card
from lab.metal.layout import MetalDir
from lab.paths import LabPaths


def main(arguments: list[str]) -> None:
    """Serve every declared card of the machine until SIGTERM."""
    lab, name = arguments[:2]
    directory = MetalDir(LabPaths.of(lab), name)
    servers = [
        threading.Thread(
            target=vfio_user.serve,
            args=(directory.socket_of(number), Card(gpu, directory.ailment_of(number))),
            name=str(gpu["address"]),
        )
        for number, gpu in enumerate(json.loads(directory.cards.read_text()))
    ]
    for server in servers:
        server.start()


if __name__ == "__main__":
    main(sys.argv[1:])
