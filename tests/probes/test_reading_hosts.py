"""read(host) tells apart: tool missing, time out, non-zero exit, exit 0 with an error in the answer, an answer."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from probe_parsers import SAMPLES

from access.errors import CommandError, CommandTimeout, ParseError, ToolFailure, ToolMissing
from access.local_host import LocalHost
from probes import (
    bandwidth_sample,
    device_query,
    gpu_burn,
    kernel_log,
    kernel_release,
    lsmod,
    lspci,
    module_parameters,
    nvbandwidth,
    p2p_bandwidth,
    pci_devices,
    undercloud,
)
from probes.cuda_samples import run_sample
from probes.nvidia_smi import query, topology

PROGRAMS = (
    "sh",
    "cat",
    "find",
    "head",
    "printf",
    "od",
    "tr",
    "basename",
    "dirname",
    "readlink",
    "uname",
    "grep",
    "sort",
)


class Machine:
    """This machine with programs of our own in front: each prints a sample and exits as told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.host = LocalHost("here")

    def has(
        self, program: str, sample: str = "", *, text: str = "", exit_code: int = 0, error: str = "", needs: str = ""
    ) -> None:
        """Install a program that answers with a sample (TOOL/NAME) or a text; without what it `needs` it fails."""
        answer = self.folder / f"{program}.answer"
        answer.write_bytes((SAMPLES / f"{sample}.txt").read_bytes() if sample else text.encode())
        path = self.folder / program
        condition = f"[ -e {needs} ] || exit 9\n" if needs else ""
        path.write_text(f"#!/bin/sh\n{condition}cat '{answer}'\nprintf '%s' '{error}' >&2\nexit {exit_code}\n")
        path.chmod(0o755)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    for program in PROGRAMS:
        (tmp_path / program).symlink_to(shutil.which(program) or f"/bin/{program}")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    return Machine(tmp_path)


def test_devices(machine: Machine):
    """deviceQuery is found on the host and its devices are read."""
    machine.has("deviceQuery", "device_query/a100-sxm4")

    assert [device.name for device in device_query.read(machine.host).devices] == ["NVIDIA A100-SXM4-40GB"]


def test_a_sample_that_is_not_there_is_missing(machine: Machine):
    """A CUDA sample that is not installed is ToolMissing and is named."""
    with pytest.raises(ToolMissing, match="no program p2pBandwidthLatencyTest"):
        p2p_bandwidth.read(machine.host)


def test_a_sample_that_fails_tells_what_to_do(machine: Machine):
    """A CUDA error with a failing exit code carries its code and what to do."""
    machine.has("deviceQuery", "device_query/fail-803", exit_code=1)

    with pytest.raises(CommandError, match="803") as caught:
        device_query.read(machine.host)

    assert type(caught.value) is CommandError
    assert caught.value.exit_code == 1
    assert "cuda-compat" in caught.value.remedy


def test_a_sample_that_fails_with_exit_code_0(machine: Machine):
    """A CUDA error is a ToolFailure even if the program ends with 0."""
    machine.has("bandwidthTest", "bandwidth_sample/fail-802")

    with pytest.raises(ToolFailure) as caught:
        bandwidth_sample.read(machine.host, 0)

    assert caught.value.kind == "cuda-802"
    assert "fabricmanager" in caught.value.remedy


def test_a_sample_that_hangs(machine: Machine):
    """A program that does not end is a CommandTimeout."""
    machine.has("deviceQuery")
    (machine.folder / "deviceQuery").write_text("#!/bin/sh\nexec /bin/sleep 60\n")

    with pytest.raises(CommandTimeout):
        run_sample(machine.host, "deviceQuery", timeout_s=0.3)


def test_all_three_directions_of_the_device_that_was_asked_for(machine: Machine):
    """Figures of another device, or without one direction, are refused."""
    machine.has("bandwidthTest", "bandwidth_sample/a100-sxm4-40")
    assert bandwidth_sample.read(machine.host, 0).gb_per_s == {"h2d": 12.3, "d2h": 13.2, "d2d": 1157.5}

    with pytest.raises(ParseError, match="device 1 was asked for"):
        bandwidth_sample.read(machine.host, 1)

    machine.has("bandwidthTest", "bandwidth_sample/a100-80-pageable")
    with pytest.raises(ParseError, match="no figure for d2d"):
        bandwidth_sample.read(machine.host, 0)


def test_every_test_that_was_asked_for(machine: Machine):
    """A test of nvbandwidth that was asked for and has no figures is refused."""
    machine.has("nvbandwidth", "nvbandwidth/gh200-v0.6")

    assert nvbandwidth.read(machine.host).per_device("device_to_host_memcpy_ce") == (295.15, 312.11)
    with pytest.raises(ParseError, match="device_local_copy"):
        nvbandwidth.read(machine.host, ("device_local_copy",))


def test_burned_and_idle(machine: Machine):
    """Cards that gpu_burn calls OK although they computed nothing are not sound."""
    machine.has("gpu_burn", "gpu_burn/b300-x7-idle-but-ok")

    assert [gpu.is_sound for gpu in gpu_burn.read(machine.host, 1).gpus].count(True) == 1


def test_debians_gpu_burn_has_another_name_and_runs_in_its_own_folder(machine: Machine):
    """Upstream's program looks for compare.ptx where it is called."""
    (machine.folder / "compare.ptx").touch()
    machine.has("gpu-burn", "gpu_burn/h200-tensor-cores", needs="compare.ptx")

    assert [gpu.products for gpu in gpu_burn.read(machine.host, 1).gpus] == [1996]


def test_a_library_that_a_program_misses_is_told_with_what_to_do(machine: Machine):
    """A missing shared library is named with what to do."""
    said = (
        "gpu_burn: error while loading shared libraries: libcublas.so.12: cannot open shared object file: No such file"
    )
    machine.has("gpu_burn", text="", error=said, exit_code=127)

    with pytest.raises(CommandError, match="libcublas") as caught:
        gpu_burn.read(machine.host, 1)

    assert "ldconfig" in caught.value.remedy


def test_nvidia_smi_is_missing(machine: Machine):
    """A host without nvidia-smi raises ToolMissing."""
    with pytest.raises(ToolMissing):
        query.read(machine.host)


def test_nvidia_smi_without_driver(machine: Machine):
    """nvidia-smi that cannot reach the driver raises CommandError with what to do."""
    machine.has("nvidia-smi", "nvidia_smi_failures/no-communication-secure-boot", exit_code=9)

    with pytest.raises(CommandError, match="no-communication") as caught:
        topology.read(machine.host)

    assert type(caught.value) is CommandError
    assert "Secure Boot" in caught.value.remedy


def test_nvidia_smi_answers(machine: Machine):
    """Queries and peer matrices are read from the host; a capability that is no letter is refused."""
    machine.has("nvidia-smi", "nvidia_smi_query/h100-545")
    assert query.read(machine.host).gpus[0].link_width == (16, 16)

    machine.has("nvidia-smi", "nvidia_smi_topo_p2p/a100-x8-read")
    assert topology.read_peers(machine.host, "w").can("GPU0", "GPU7")
    with pytest.raises(ValueError, match="x; reboot"):
        topology.read_peers(machine.host, "x; reboot")


def test_lists_of_the_kernel(machine: Machine):
    """Modules, PCI devices and refused reservations are read from real answers."""
    machine.has("lsmod", "lsmod/rows-of-nvidia")
    machine.has("lspci", "lspci/p100-x2-nn")
    machine.has("dmesg", "kernel_log/rmrr-refused")

    assert "nvidia_drm" in lsmod.read(machine.host)
    assert len(lspci.read(machine.host)) == len(lspci.read_details(machine.host)) == 2
    assert list(kernel_log.parse((SAMPLES / "kernel_log/rmrr-refused.txt").read_text()).iommu.refused_for_reservation)


def test_this_machines_own(machine: Machine):
    """Probes that read /sys and /proc work on the machine that runs the tests."""
    assert kernel_release.read(machine.host)
    assert isinstance(pci_devices.read(machine.host) if Path("/sys/bus/pci/devices").exists() else (), tuple)
    assert module_parameters.read(machine.host, "no_such_module_here") is None
    with pytest.raises(ValueError, match="a b"):
        module_parameters.read(machine.host, "a b")


@pytest.fixture
def stackrc(machine: Machine) -> None:
    (machine.folder / "stackrc").write_text("")


@pytest.mark.usefixtures("stackrc")
def test_no_artifacts_is_another_answer_than_no_answer(machine: Machine):
    """A missing container means no artifacts; an unreachable service raises CommandError."""
    machine.has("swift", text="puppet-modules.tar.gz\n")
    assert undercloud.artifacts(machine.host) == ("puppet-modules.tar.gz",)

    machine.has("swift", exit_code=1, error="Container 'overcloud-artifacts' not found")
    assert undercloud.artifacts(machine.host) == ()

    machine.has("swift", exit_code=1, error="Unable to establish connection to http://192.168.24.1:5000/v3")
    with pytest.raises(CommandError, match="Unable to establish connection"):
        undercloud.artifacts(machine.host)
