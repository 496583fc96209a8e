"""The NVIDIA kernel module: whether it loads on this kernel and this card, and what it says when it does not."""

import json
import os
import sys

sys.path.insert(0, "/usr/local/lib/lab")
import kernel

STATE = "/var/lib/nvidia/driver.json"
LEGACY_SINCE = {"kepler": 495, "maxwell": 590, "pascal": 590, "volta": 590}
"""First branch that leaves an architecture out."""
OPEN_ARCHITECTURES = {"turing", "ampere", "ada", "hopper", "blackwell"}


def installed():
    """The driver that the packages installed: {"version", "flavour", "kernels": […], "library": version}, or None."""
    try:
        with open(STATE) as stream:
            return json.load(stream)
    except FileNotFoundError:
        return None


def _cards():
    return [gpu for gpu in kernel.machine()["gpus"] if not gpu.get("off_bus")]


def _refusal(driver, card):
    """Why the module does not take a card; None when it does."""
    branch = int(driver["version"].split(".")[0])
    address = card["address"]
    if card["architecture"] in LEGACY_SINCE and branch >= LEGACY_SINCE[card["architecture"]]:
        legacy = LEGACY_SINCE[card["architecture"]] - 10
        return [
            f"NVRM: The NVIDIA {card['name']} GPU installed in this system is",
            f"NVRM:  supported through the NVIDIA {legacy}.xx Legacy drivers. Please",
            "NVRM:  visit http://www.nvidia.com/object/unix.html for more",
            f"NVRM:  information.  The {driver['version']} NVIDIA driver will ignore",
            "NVRM:  this GPU.  Continuing probe...",
        ]
    if driver["flavour"] == "open" and card["architecture"] not in OPEN_ARCHITECTURES:
        return [
            f"NVRM: The NVIDIA GPU {address} (PCI ID: 10de:{card['product_id']})",
            "NVRM: installed in this system is not supported by open",
            "NVRM: nvidia.ko because it does not include the required GPU",
            "NVRM: System Processor (GSP).",
        ]
    if card.get("init_fails"):
        return [f"NVRM: GPU {address}: RmInitAdapter failed! (0x25:0xffff:1457)"]
    return None


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
        refusal = ["nouveau"] if card["address"] in taken else _refusal(driver, card)
        if refusal is None:
            usable.append(card)
        elif card["address"] not in taken:
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
    for xid in [event for card in usable for event in card.get("xids", ())]:
        kernel.log(f"NVRM: Xid (PCI:{usable[0]['address'][:-2]}): {xid}")
    _proc(driver, flavour, usable)


def _proc(driver, flavour, cards):
    folder = "/run/lab/kernel/driver/nvidia"
    os.makedirs(f"{folder}/gpus", exist_ok=True)
    with open(f"{folder}/version", "w") as stream:
        stream.write(f"NVRM version: NVIDIA UNIX {flavour}  {driver['version']}  {driver['built']}\n")
        stream.write("GCC version:  gcc version 4.8.5 20150623 (Red Hat 4.8.5-16) (GCC) \n")
    for card in cards:
        os.makedirs(f"{folder}/gpus/{card['address']}", exist_ok=True)
        with open(f"{folder}/gpus/{card['address']}/information", "w") as stream:
            stream.write(
                f"Model: \t\t {card['name']}\nGPU UUID: \t {card['uuid']}\nBus Location: \t {card['address']}\n"
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


def usable_cards():
    """Cards that the loaded driver has, in the order of their bus addresses."""
    if "nvidia" not in kernel.loaded():
        return []
    return sorted(
        (card for card in _cards() if kernel.driver_of(card["address"]) == "nvidia"), key=lambda c: c["address"]
    )
