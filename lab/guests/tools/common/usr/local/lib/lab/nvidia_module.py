"""The NVIDIA kernel module: whether it loads on this kernel and this card, and what it says when it does not.

A card's physical state stands beside its model in machine.json: `bar_unassigned`, `init_fails`, `off_bus`,
`xids` (texts after the bus address), `switch_errors` (texts after an NVSwitch's address), `driver_notes` (what the
driver writes although all is well), `confidential_computing` (the driver is not prepared for that mode of the card);
gpu_figures, gpu_state, smi_report and cuda_runtime read the rest.
"""

import json
import os
import re
import sys

sys.path.insert(0, "/usr/local/lib/lab")
import gpu_state
import kernel

STATE = "/var/lib/nvidia/driver.json"
LOADED = "/run/lab/kernel/driver/nvidia"
LEGACY_SINCE = {"kepler": 495, "maxwell": 590, "pascal": 590, "volta": 590}
"""First branch that leaves an architecture out."""
FIRST_BRANCH = {"pascal": 375, "volta": 384, "turing": 410, "ampere": 450, "ada": 520, "hopper": 515, "blackwell": 570}
"""First branch that knows an architecture."""
OPEN_ARCHITECTURES = {"turing", "ampere", "ada", "hopper", "blackwell"}


def installed():
    """The driver that the packages installed: {"version", "flavour", "kernels": […], "library": version}, or None."""
    try:
        with open(STATE) as stream:
            return json.load(stream)
    except FileNotFoundError:
        return None


def loaded_version():
    """Version of the module in the kernel, which an update of the package does not change. None when not loaded."""
    if "nvidia" not in kernel.loaded():
        return None
    with open(f"{LOADED}/version") as stream:
        return re.search(r"Module(?: for \S+)?\s+(\d+[.\d]*)", stream.read())[1]


def branch(version):
    """384 of 384.183."""
    return int(version.split(".")[0])


def _cards():
    return [gpu_state.aged(card) for card in kernel.machine()["gpus"]]


def _refusal(driver, card):
    """Why the module does not take a card; None when it does."""
    number, address, architecture = branch(driver["version"]), card["address"], card["architecture"]
    if architecture in LEGACY_SINCE and number >= LEGACY_SINCE[architecture]:
        return [
            f"NVRM: The NVIDIA {card['name']} GPU installed in this system is",
            f"NVRM:  supported through the NVIDIA {LEGACY_SINCE[architecture] - 10}.xx Legacy drivers. Please",
            "NVRM:  visit http://www.nvidia.com/object/unix.html for more",
            f"NVRM:  information.  The {driver['version']} NVIDIA driver will ignore",
            "NVRM:  this GPU.  Continuing probe...",
        ]
    if driver["flavour"] == "open" and architecture not in OPEN_ARCHITECTURES:
        return _unsupported(
            card, "by open", "nvidia.ko because it does not include the required GPU\nNVRM: System Processor (GSP)."
        )
    if driver["flavour"] == "vgpu" or number < FIRST_BRANCH.get(architecture, 0) or card.get("confidential_computing"):
        return _unsupported(card, "by the", f"NVIDIA {driver['version']} driver release.")
    if card.get("bar_unassigned"):
        return [
            "NVRM: This PCI I/O region assigned to your NVIDIA device is invalid:",
            f"NVRM: BAR1 is 0M @ 0x0 (PCI:{address})",
        ]
    if card.get("init_fails"):
        return [f"NVRM: GPU {address}: RmInitAdapter failed! (0x25:0xffff:1457)"]
    return None


def _unsupported(card, by, rest):
    lines = (
        f"NVRM: The NVIDIA GPU {card['address']} (PCI ID: 10de:{card['product_id']})\n"
        f"NVRM: installed in this system is not supported {by}\nNVRM: {rest}"
    )
    return lines.split("\n")


def load(name="nvidia"):
    """modprobe nvidia: exits with the words of life when it cannot be done."""
    driver = installed()
    release = kernel.release()
    name = name.replace("-", "_")
    if driver is None or release not in driver["kernels"]:
        sys.exit(f"modprobe: FATAL: Module {name} not found in directory /lib/modules/{release}")
    machine = kernel.machine()
    if machine["firmware"].get("secure_boot") and not driver.get("signed"):
        kernel.log("Lockdown: modprobe: unsigned module loading is restricted; see man kernel_lockdown.7")
        sys.exit(f"modprobe: ERROR: could not insert '{name}': Required key not available")
    if "nvidia" not in kernel.loaded():
        _load_core(driver)
    kernel.load(name)
    if name == "nvidia":
        for extra in ("nvidia_modeset", "nvidia_drm", "nvidia_uvm"):
            kernel.load(extra)


def _load_core(driver):
    taken = [card["address"] for card in _cards() if kernel.driver_of(card["address"]) == "nouveau"]
    if taken:
        kernel.log(f"NVRM: The NVIDIA probe routine was not called for {len(taken)} device(s).")
        kernel.log("NVRM: This can occur when a driver such as: nouveau, rivafb, nvidiafb or rivatv was loaded and")
        kernel.log("NVRM: obtained ownership of the NVIDIA device(s).")
    kernel.log("nvidia: loading out-of-tree module taints kernel.")
    usable = []
    for card in _cards():
        if card["address"] in taken:
            continue
        refusal = _refusal(driver, card)
        if refusal is None:
            usable.append(card)
            continue
        for line in refusal:
            kernel.log(line)
        kernel.log(f"nvidia: probe of {card['address']} failed with error -1")
    if not usable:
        kernel.log("NVRM: No NVIDIA GPU found." if not taken else "NVRM: No NVIDIA devices probed.")
        sys.exit("modprobe: ERROR: could not insert 'nvidia': No such device")
    kernel.load("nvidia")
    flavour = "Open Kernel Module for x86_64" if driver["flavour"] == "open" else "x86_64 Kernel Module"
    kernel.log(f"NVRM: loading NVIDIA UNIX {flavour}  {driver['version']}  {driver['built']}")
    for card in usable:
        kernel.bind(card["address"], "nvidia")
        _complain(card)
    _proc(driver, flavour, usable)


def _complain(card):
    """What a card in a bad state makes the driver log."""
    for note in card.get("driver_notes", ()):
        kernel.log(f"NVRM: {note}")
    for event in card.get("switch_errors", ()):
        kernel.log(f"nvidia-nvswitch0: SXid (PCI:0000:05:00.0): {event}")
    for event in card.get("xids", ()):
        kernel.log(f"NVRM: Xid (PCI:{card['address'][:-2]}): {event}")
    if card.get("off_bus"):
        kernel.log(f"NVRM: GPU {card['address']}: GPU has fallen off the bus.")


def _proc(driver, flavour, cards):
    os.makedirs(f"{LOADED}/gpus", exist_ok=True)
    with open(f"{LOADED}/version", "w") as stream:
        stream.write(f"NVRM version: NVIDIA UNIX {flavour}  {driver['version']}  {driver['built']}\n")
        stream.write("GCC version:  gcc version 4.8.5 20150623 (Red Hat 4.8.5-16) (GCC) \n")
    for card in cards:
        os.makedirs(f"{LOADED}/gpus/{card['address']}", exist_ok=True)
        with open(f"{LOADED}/gpus/{card['address']}/information", "w") as stream:
            stream.write(
                f"Model: \t\t {card['name']}\nGPU UUID: \t {card['uuid']}\nVideo BIOS: \t {card['vbios']}\n"
                f"Bus Type: \t PCIe\nBus Location: \t {card['address']}\n"
            )


def load_at_boot():
    """What udev does: load the driver of each card, unless it is blacklisted."""
    driver = installed()
    if driver is None or kernel.release() not in driver["kernels"]:
        return
    if not any(kernel.driver_of(card["address"]) is None for card in _cards()):
        return
    try:
        load()
    except SystemExit as error:
        print(error, file=sys.stderr)


def bound_cards():
    """Cards that the loaded driver has, in the order of their bus addresses."""
    if "nvidia" not in kernel.loaded():
        return []
    bound = [card for card in _cards() if kernel.driver_of(card["address"]) == "nvidia"]
    return sorted(bound, key=lambda card: card["address"])


def usable_cards():
    """Those of them that still answer."""
    return [card for card in bound_cards() if not card.get("off_bus")]
