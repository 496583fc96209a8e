"""What every CUDA program does first: find the driver, find the devices, or fail in CUDA's words."""

import os
import re
import sys
import time

sys.path.insert(0, "/usr/local/lib/lab")
import kernel
import nvidia_module

CUDA_OF_BRANCH = (
    (384, "9.0"),
    (396, "9.2"),
    (410, "10.0"),
    (418, "10.1"),
    (440, "10.2"),
    (450, "11.0"),
    (470, "11.4"),
    (510, "11.6"),
    (525, "12.0"),
    (535, "12.2"),
    (550, "12.4"),
    (570, "12.8"),
    (580, "13.0"),
    (595, "13.2"),
)
ERRORS = {
    "no device": ("no CUDA-capable device is detected", "cudaErrorNoDevice"),
    "old driver": ("CUDA driver version is insufficient for CUDA runtime version", "cudaErrorInsufficientDriver"),
    "mismatch": ("system has unsupported display driver / cuda driver combination", "cudaErrorSystemDriverMismatch"),
    "unknown": ("unknown error", "cudaErrorUnknown"),
    "not ready": ("system not yet initialized", "cudaErrorSystemNotReady"),
    "no image": ("no kernel image is available for execution on the device", "cudaErrorNoKernelImageForDevice"),
    "ecc": ("uncorrectable ECC error encountered", "cudaErrorECCUncorrectable"),
    "nvlink": ("uncorrectable NVLink error detected during the execution", "cudaErrorNvlinkUncorrectable"),
    "illegal address": ("an illegal memory access was encountered", "cudaErrorIllegalAddress"),
}
NUMBERS = {
    "no device": (38, 100),
    "old driver": (35, 35),
    "mismatch": (30, 803),
    "unknown": (30, 999),
    "not ready": (83, 802),
    "no image": (48, 209),
    "ecc": (39, 214),
    "nvlink": (80, 220),
    "illegal address": (77, 700),
}
"""cudaError_t before CUDA 10.1 and since."""
FOREVER_S = 86400
"""How long a program waits in a driver that hangs: nobody waits as long."""
BUILT_WITH = "# built with CUDA "
VERSION_FILE = "/usr/local/cuda/version.txt"


class CudaError(Exception):
    """A cudaError_t with its number and name."""

    def __init__(self, kind):
        renumbered = at_least("10.1")
        if kind == "mismatch" and not renumbered:
            kind = "unknown"
        text, self.name = ERRORS[kind]
        super().__init__(text)
        self.number = NUMBERS[kind][renumbered]


def version(text):
    """(9, 0) of "9.0"."""
    return tuple(map(int, text.split(".")))


def at_least(wanted):
    """Whether this program was built with CUDA `wanted` or newer."""
    return version(runtime_cuda()) >= version(wanted)


def driver_cuda(number):
    """CUDA version that a driver supports, e.g. "9.0"."""
    return [cuda for first, cuda in CUDA_OF_BRANCH if nvidia_module.branch(number) >= first][-1]


def runtime_cuda():
    """CUDA version that this program was built with, e.g. "9.0"."""
    program = os.path.realpath(sys.argv[0])
    if os.path.isfile(program):
        with open(program, errors="replace") as stream:
            built = re.findall(rf"^{BUILT_WITH}(\S+)$", stream.read(), re.M)
        if built:
            return built[-1]
    with open(VERSION_FILE) as stream:
        return ".".join(stream.read().split()[-1].split(".")[:2])


def devices():
    """Cards that CUDA sees.

    Raises:
        CudaError: as cudaGetDeviceCount does.
    """
    driver, loaded = nvidia_module.installed(), nvidia_module.loaded_version()
    wait_for_hanging()
    if driver is None or loaded is None:
        raise CudaError("no device")
    if driver["library"] != loaded:
        raise CudaError("mismatch")
    if version(runtime_cuda()) > version(driver_cuda(loaded)):
        raise CudaError("old driver")
    cards = nvidia_module.usable_cards()
    if not cards:
        raise CudaError("unknown" if nvidia_module.bound_cards() else "no device")
    if any(card.get("fabric_state", "Completed") != "Completed" for card in cards):
        raise CudaError("not ready")
    return cards


def launch(cards):
    """Run a kernel on cards; a card's `launch_fails` is a key of ERRORS.

    Raises:
        CudaError: as cudaGetLastError tells after the launch.
    """
    for card in cards:
        if "launch_fails" in card:
            raise CudaError(card["launch_fails"])


def wait_for_hanging():
    """A card that `hangs` keeps every program that asks the driver."""
    if any(card.get("hangs") for card in nvidia_module.bound_cards()):
        time.sleep(FOREVER_S)


def bus(card):
    """PCI domain, bus and device numbers."""
    domain, number, rest = card["address"].split(":")
    return int(domain, 16), int(number, 16), int(rest.split(".")[0], 16)


def machine():
    """The declared hardware."""
    return kernel.machine()
