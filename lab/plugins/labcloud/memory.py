"""Memory of an emulated host: what QEMU needs beside the guests' own, and whom the kernel kills when it is not there.

All memory of a guest with a passed-through card is pinned, so nothing can be reclaimed from it.
"""

import json

from lab.hosts.boot import kernel_log
from labcloud.domains import HOLDING, SHUT_OFF

PER_GUEST_MB = 192
PER_CARD_MB = 128
"""What QEMU and the page tables of its mappings take.

https://bugs.launchpad.net/nova/+bug/1948705 tells of such sums.
"""


def kill_if_short(driver):
    """End the largest guest when the host's memory is used up."""
    held = [domain for domain in driver.domains.all() if domain.state in HOLDING]
    sizes = {domain.uuid: _size_mb(driver, domain) for domain in held}
    machine = json.loads(driver.directory.machine_file.read_text())
    if sum(sizes.values()) <= machine["memory_mb"]:
        return
    victim = max(held, key=lambda domain: sizes[domain.uuid])
    kernel_log.append(
        driver.directory,
        f"Out of memory: Killed process 28114 (qemu-kvm) total-vm:{sizes[victim.uuid] * 1024}kB,"
        f" anon-rss:{sizes[victim.uuid] * 1000}kB, file-rss:0kB, shmem-rss:4kB",
    )
    driver.machines.shutdown(victim.uuid)
    driver.domains.set_state(victim.uuid, SHUT_OFF)
    driver.passthrough.give_back(victim.uuid, victim.addresses)


def _size_mb(driver, domain):
    try:
        guest = json.loads(driver.guest_file(domain.uuid).read_text())
    except FileNotFoundError:  # another thread has just removed it
        return 0
    cards = len(domain.addresses)
    return guest["memory_mb"] + PER_GUEST_MB + PER_CARD_MB * cards
