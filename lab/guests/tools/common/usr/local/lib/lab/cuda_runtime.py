"""What every CUDA program does first: find the driver, find the devices, or fail in CUDA's words."""

import sys

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
    35: "CUDA driver version is insufficient for CUDA runtime version",
    100: "no CUDA-capable device is detected",
    803: "system has unsupported display driver / cuda driver combination",
    999: "unknown error",
}
RUNTIME_FILE = "/usr/local/cuda/version.txt"


class CudaError(Exception):
    """A cudaError_t."""

    def __init__(self, number):
        super().__init__(ERRORS[number])
        self.number = number


def driver_cuda(driver):
    """CUDA version that a driver's branch supports."""
    branch = int(driver["version"].split(".")[0])
    return [version for first, version in CUDA_OF_BRANCH if branch >= first][-1]


def runtime_cuda():
    """Version of the toolkit, e.g. "9.0"."""
    with open(RUNTIME_FILE) as stream:
        return ".".join(stream.read().split()[-1].split(".")[:2])


def devices():
    """Cards that CUDA sees.

    Raises:
        CudaError: as cudaGetDeviceCount does.
    """
    driver = nvidia_module.installed()
    if driver is None or "nvidia" not in kernel.loaded():
        raise CudaError(100)
    if driver["library"] != driver["version"]:
        raise CudaError(803)
    if tuple(map(int, runtime_cuda().split("."))) > tuple(map(int, driver_cuda(driver).split("."))):
        raise CudaError(35)
    cards = nvidia_module.usable_cards()
    if not cards:
        raise CudaError(100)
    return cards


def bus(card):
    """PCI domain, bus and device numbers, decimal as CUDA prints them."""
    domain, number, rest = card["address"].split(":")
    return int(domain, 16), int(number, 16), int(rest.split(".")[0], 16)
