"""The kernel of this machine, as far as modules and drivers go. Everything that loads a module comes here."""

import json
import os
import re
import shutil
import subprocess
import time

VIEW = "/run/lab/kernel"
MACHINE = "/run/lab/machine.json"
NVIDIA_STACK = ("nvidia", "nvidia_modeset", "nvidia_drm", "nvidia_uvm")
SIZES = {
    "nvidia": 13000758,
    "nvidia_modeset": 841750,
    "nvidia_drm": 44108,
    "nvidia_uvm": 752512,
    "nouveau": 1662531,
    "vfio_pci": 41268,
    "vfio_iommu_type1": 22440,
    "vfio": 32657,
    "drm": 370825,
}
USES = {
    "nvidia_modeset": ("nvidia",),
    "nvidia_drm": ("nvidia_modeset", "drm"),
    "nvidia_uvm": ("nvidia",),
    "vfio_pci": ("vfio",),
    "vfio_iommu_type1": ("vfio",),
}


def machine():
    """The declared hardware."""
    with open(MACHINE) as stream:
        return json.load(stream)


def release():
    """What uname -r says."""
    with open(f"{VIEW}/osrelease") as stream:
        return stream.read().strip()


def log(text):
    """A line in the kernel's log."""
    with open(f"{VIEW}/booted-at") as stream:
        since = time.time() - float(stream.read())
    line = f"[{since:12.6f}] {text}\n"
    try:
        with open(f"{VIEW}/kernel.log", "a") as stream:
            stream.write(line)
    except PermissionError:  # the kernel writes its log whoever's program made it do so
        subprocess.run(
            ["sudo", "-n", "tee", "-a", f"{VIEW}/kernel.log"],
            input=line.encode(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )


def loaded():
    """Loaded modules: name -> (size, users)."""
    found = {}
    with open(f"{VIEW}/modules") as stream:
        for line in stream:
            name, size, _, users, *_ = line.split()
            found[name] = (int(size), [user for user in users.strip("-").split(",") if user])
    return found


def _store(modules):
    rows = [
        f"{name} {size} {len(users)} {''.join(user + ',' for user in users) or '-'} Live 0x0000000000000000"
        for name, (size, users) in modules.items()
    ]
    with open(f"{VIEW}/modules", "w") as stream:
        stream.write("\n".join(rows) + "\n")
    for name in os.listdir("/sys/module"):
        if name not in modules:
            shutil.rmtree(f"/sys/module/{name}")
    for name, (size, users) in modules.items():
        folder = f"/sys/module/{name}"
        shutil.rmtree(f"{folder}/holders", ignore_errors=True)
        os.makedirs(f"{folder}/holders")
        for file, text in (("refcnt", len(users)), ("coresize", size), ("initstate", "live")):
            with open(f"{folder}/{file}", "w") as stream:
                stream.write(f"{text}\n")
        for user in users:
            os.symlink(f"../../{user}", f"{folder}/holders/{user}")


def load(name):
    """Make a module and what it uses loaded. The newest is first, as in real kernels."""
    name = name.replace("-", "_")
    modules = loaded()
    if name in modules:
        return
    for used in USES.get(name, ()):
        load(used)
    modules = loaded()
    for used in USES.get(name, ()):
        size, users = modules[used]
        modules[used] = (size, [*users, name])
    _store({name: (SIZES.get(name, 16384), []), **modules})


def unload(name):
    """Remove a module; False when something uses it."""
    name = name.replace("-", "_")
    modules = loaded()
    if modules.get(name, (0, []))[1]:
        return False
    modules.pop(name, None)
    _store({other: (size, [user for user in users if user != name]) for other, (size, users) in modules.items()})
    return True


def blacklisted():
    """Modules that do not load by their device's alias."""
    found = set()
    for folder in ("/etc/modprobe.d", "/usr/lib/modprobe.d"):
        for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
            with open(f"{folder}/{name}", errors="replace") as stream:
                found.update(re.findall(r"^\s*blacklist\s+(\S+)", stream.read(), re.M))
    with open("/proc/cmdline") as stream:
        for word in stream.read().split():
            key, _, value = word.partition("=")
            if key in ("modprobe.blacklist", "rd.driver.blacklist"):
                found.update(value.split(","))
    return found


def driver_of(address):
    """Driver that a PCI function is bound to."""
    link = f"/sys/bus/pci/devices/{address}/driver"
    return os.path.basename(os.readlink(link)) if os.path.islink(link) else None


def bind(address, driver):
    """Bind a PCI function to a driver, or to none."""
    device = os.path.realpath(f"/sys/bus/pci/devices/{address}")
    link = f"{device}/driver"
    if os.path.islink(link):
        old = f"/sys/bus/pci/drivers/{os.path.basename(os.readlink(link))}/{address}"
        if os.path.islink(old):
            os.unlink(old)
        os.unlink(link)
    if driver is None:
        return
    depth = len(os.path.relpath(device, "/sys").split("/"))
    os.symlink("../" * depth + f"bus/pci/drivers/{driver}", link)
    os.makedirs(f"/sys/bus/pci/drivers/{driver}", exist_ok=True)
    entry = f"/sys/bus/pci/drivers/{driver}/{address}"
    if not os.path.islink(entry):
        os.symlink("../../../../" + os.path.relpath(device, "/sys"), entry)


def module_file(name, release_=None):
    """Path of a module's file, or None where this kernel has none of that name."""
    wanted = name.replace("-", "_")
    folder = f"/usr/lib/modules/{release_ or release()}"
    for where, _, files in os.walk(folder):
        for file in files:
            if ".ko" in file and file.split(".ko")[0].replace("-", "_") == wanted:
                return os.path.join(where, file)
    return None


def module_options(name):
    """All option lines of a module in /etc/modprobe.d."""
    found = []
    for folder in ("/usr/lib/modprobe.d", "/etc/modprobe.d"):
        for file in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
            with open(f"{folder}/{file}", errors="replace") as stream:
                found += [line for line in stream if re.match(rf"\s*options\s+{name.replace('_', '[-_]')}\s", line)]
    return "".join(found)


def bind_free(driver, takes):
    """Bind each GPU that has no driver and that `takes` accepts."""
    for card in machine()["gpus"]:
        if driver_of(card["address"]) is None and takes(card):
            bind(card["address"], driver)
            log(f"{driver.replace('-', '_')} {card['address']}: enabling device (0000 -> 0002)")
