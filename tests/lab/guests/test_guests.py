"""A guest's driver, CUDA and tools follow from the one declared machine: cause first, effect after."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from lab_machines import Machines

from lab.guests import base_images, hooks, virt_customize
from lab.hosts.layout import MachineDir
from probes import bandwidth_sample, device_query, kernel_log, p2p_bandwidth
from probes.nvidia_smi import query

REPOSITORY = (
    "rpm -i https://developer.download.nvidia.com/compute/cuda/repos/rhel7/x86_64/cuda-repo-rhel7-9.0.176-1.x86_64.rpm"
)
HEADERS = "yum install -y kernel-devel-$(uname -r) gcc make"
CUDA = "yum install -y cuda-drivers-384.183 cuda-toolkit-9-0 cuda-samples-9-0"
SAMPLES = "/root/NVIDIA_CUDA-9.0_Samples"
BUILD = f"/usr/local/cuda-9.0/bin/cuda-install-samples-9.0.sh /root && make -j 2 -C {SAMPLES}"
LINE = r"(\d+)\s+([\d.]+)$"
Shell = Callable[[str], str]


class Guest:
    """A running guest whose machine.json the test may edit."""

    def __init__(self, machines: Machines, name: str) -> None:
        self.machines, self.name = machines, name
        self.file = MachineDir(machines.paths, name).machine_file

    def sh(self, command: str) -> str:
        """Output of a command that must succeed."""
        return self.machines.sh(self.name, command)

    def run(self, command: str) -> tuple[int, str]:
        """Exit code and both streams of a command."""
        done = self.machines.client.run(self.name, ["/bin/bash", "-c", command])
        return done.returncode, done.stdout + done.stderr

    @contextlib.contextmanager
    def state(self, machine: dict[str, Any] | None = None, **card: Any) -> Iterator[None]:
        """Let its first card, or the machine, be in another physical state. In place: the file is mounted inside."""
        before = self.file.read_text()
        data = json.loads(before)
        data.update(machine or {})
        data["gpus"][0].update(card)
        self.file.write_text(json.dumps(data))
        try:
            yield
        finally:
            self.file.write_text(before)

    def reload(self) -> tuple[int, str]:
        """Take the driver's module out and load it again."""
        modules = "nvidia_uvm nvidia_drm nvidia_modeset nvidia"
        self.run(f"for module in {modules}; do rmmod $module; done; rm -rf /run/lab/kernel/driver/nvidia")
        return self.run("modprobe nvidia")

    def bandwidth(self, options: str = "") -> dict[str, float]:
        """Figures of bandwidthTest by direction."""
        text = self.sh(f"{SAMPLES}/1_Utilities/bandwidthTest/bandwidthTest {options}")
        titles = re.findall(r"(Host to Device|Device to Host|Device to Device) Bandwidth", text)
        figures = [float(value) for _, value in re.findall(rf"^ +{LINE}", text, re.M)]
        return dict(zip(titles, figures, strict=True))


@pytest.fixture(scope="session")
def image(machines: Machines, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The vendor's image."""
    path = tmp_path_factory.mktemp("images") / "rhel.qcow2"
    base_images.make(machines.paths, path)
    return path


@pytest.fixture(scope="session")
def make_guest(machines: Machines, compute: str, image: Path) -> Iterator[Callable[..., Guest]]:
    """Define and boot a guest with both cards of the compute host."""
    made: list[str] = []

    def make(seed: dict[str, Any] | None = None, **changes: Any) -> Guest:
        name = f"guest-{len(made)}"
        declaration = {
            "kind": "guest",
            "uuid": name,
            "hostname": name,
            "host": compute,
            "vcpus": 8,
            "memory_mb": 16384,
            "gpus": ["0000:04:00.0", "0000:84:00.0"],
            **changes,
        }
        machines.client.define(name, declaration, image, seed or {})
        made.append(name)
        if seed is None:
            MachineDir(machines.paths, name).path("/etc/cloud/cloud-init.disabled").touch()
        machines.client.boot(name)
        return Guest(machines, name)

    yield make
    for name in made:
        machines.client.destroy(name)


@pytest.fixture(scope="session")
def cuda_guest(make_guest: Callable[..., Guest]) -> Guest:
    """A guest with driver, CUDA 9.0 and built samples."""
    guest = make_guest()
    guest.sh(f"{HEADERS} && {REPOSITORY} && {CUDA} && modprobe nvidia && {BUILD}")
    return guest


INSPECT = """
import sys
from oslo_utils.imageutils import format_inspector
found = format_inspector.detect_file_format(sys.argv[1])
found.safety_check()
print(found)
"""


def test_an_image_is_a_true_qcow2(machines: Machines, image: Path) -> None:
    """Glance's own inspector accepts the image as qcow2."""
    python = machines.paths.openstack_env / "bin" / "python"
    if not python.exists():
        pytest.skip("the lab's environment is not there yet: make accept, or python -m lab up")

    done = subprocess.run([python, "-c", INSPECT, image], capture_output=True, text=True, check=False)

    assert (done.stdout.strip(), done.stderr) == ("qcow2", "")


def test_the_driver_needs_the_running_kernels_headers(make_guest: Callable[..., Guest]) -> None:
    """Headers of a newer kernel do not build a module for the running one."""
    guest = make_guest()

    said = guest.sh(f"yum update -y kernel; yum install -y kernel-devel gcc; {REPOSITORY}; {CUDA}")
    code, answer = guest.run("nvidia-smi")

    assert "Your kernel headers for kernel 3.10.0-693.el7.x86_64 cannot be found" in said
    assert (code, "couldn't communicate with the NVIDIA driver" in answer) == (9, True)
    assert "added" in guest.sh("dkms status")


def test_the_driver_needs_a_compiler(make_guest: Callable[..., Guest]) -> None:
    """Without a compiler the driver's module cannot be built."""
    guest = make_guest()

    said = guest.sh(f"yum install -y kernel-devel-$(uname -r); {REPOSITORY}; {CUDA}")

    assert "Bad return status for module build" in said
    assert guest.run("modprobe nvidia")[1].startswith("modprobe: FATAL: Module nvidia not found")


def test_secure_boot_refuses_the_unsigned_module(make_guest: Callable[..., Guest]) -> None:
    """With secure boot the kernel does not load the unsigned module."""
    guest = make_guest(firmware={"type": "uefi", "iommu": False, "secure_boot": True})

    guest.sh(f"{HEADERS} && {REPOSITORY} && {CUDA}")

    assert "Required key not available" in guest.run("modprobe nvidia")[1]


def test_a_repository_signed_with_another_key_is_refused(make_guest: Callable[..., Guest]) -> None:
    """Packages of a repository whose signing key is unknown are not installed."""
    guest = make_guest()
    guest.sh(f'{REPOSITORY}; sed -i \'s/"key": "7fa2af80"/"key": "d42d0685"/\' /usr/local/lib/lab/repositories.json')

    code, said = guest.run("yum install -y cuda-drivers-384.183")

    assert code != 0
    assert "Public key for dkms" in said


@pytest.mark.parametrize(
    ("package", "words"),
    [
        ("cuda-drivers-595.71.03", "supported through the NVIDIA 580.xx Legacy drivers"),
        ("nvidia-driver-open-550.54.15", "System Processor (GSP)"),
        ("nvidia-vgpu-535.129.03", "NVIDIA 535.129.03 driver release"),
    ],
)
def test_a_driver_that_does_not_know_the_card_says_so(
    make_guest: Callable[..., Guest], package: str, words: str
) -> None:
    """A driver that does not support the card says why in the kernel's log."""
    guest = make_guest()

    guest.sh(f"{HEADERS} && {REPOSITORY} && yum install -y {package}")
    code, said = guest.run("modprobe nvidia")

    assert (code, "No such device" in said) == (1, True)
    assert words in guest.sh("dmesg")


def test_driver_tools_and_samples_agree(cuda_guest: Guest) -> None:
    """Driver, tools and samples show the same card."""
    addresses = re.findall(r"^(\S+) 3D", cuda_guest.sh("lspci"), re.M)

    assert len(addresses) == 2
    assert cuda_guest.sh("nvidia-smi --query-gpu=pci.bus_id --format=csv,noheader").split() == [
        f"00000000:{address}".upper() for address in addresses
    ]
    assert "NVRM version: NVIDIA UNIX x86_64 Kernel Module  384.183" in cuda_guest.sh("cat /proc/driver/nvidia/version")
    assert re.search(r"^nvidia_modeset +\d+ +1 nvidia_drm", cuda_guest.sh("lsmod"), re.M)
    query = cuda_guest.sh(f"{SAMPLES}/1_Utilities/deviceQuery/deviceQuery")
    assert "CUDA Driver Version / Runtime Version          9.0 / 9.0" in query
    assert query.rstrip().endswith("NumDevs = 2\nResult = PASS")
    assert "nvidia, 384.183, 3.10.0-693.el7.x86_64, x86_64: installed" in cuda_guest.sh("dkms status")
    assert "384.183" in cuda_guest.sh("modinfo nvidia")
    assert re.search(r"Bus Id +: 00000000:00:05.0", cuda_guest.sh("nvidia-smi -q"))


def test_the_probes_read_what_the_samples_print(cuda_guest: Guest) -> None:
    """The suite's probes parse the output of the CUDA samples."""
    folder = f"{SAMPLES}/1_Utilities"

    query = device_query.parse(cuda_guest.sh(f"{folder}/deviceQuery/deviceQuery"))
    bandwidth = bandwidth_sample.parse(cuda_guest.sh(f"{folder}/bandwidthTest/bandwidthTest"))
    peers = p2p_bandwidth.parse(cuda_guest.sh(f"{folder}/p2pBandwidthLatencyTest/p2pBandwidthLatencyTest"))

    assert [device.name for device in query.devices] == ["Tesla P100-PCIE-16GB"] * 2
    assert bandwidth.gb_per_s == pytest.approx({"h2d": 11.9, "d2h": 12.8, "d2d": 499.0}, rel=0.03)
    assert peers.can_access == frozenset()
    assert peers.unidirectional_gb_per_s[0][1] == pytest.approx(10.2, rel=0.05)


def test_reads_between_peers_are_measured_when_asked_for(cuda_guest: Guest) -> None:
    """The p2p sample measures reads as well as writes if its option is given."""
    program = f"{SAMPLES}/1_Utilities/p2pBandwidthLatencyTest/p2pBandwidthLatencyTest"
    with cuda_guest.state(machine={"p2p_exposed": True}, host_numa_node=1):
        peers = p2p_bandwidth.parse(cuda_guest.sh(f"{program} --p2p_read"))

    assert peers.can_access == {(0, 1), (1, 0)}
    assert peers.unidirectional_reads_gb_per_s is not None
    assert peers.unidirectional_reads_gb_per_s[0][1] == pytest.approx(peers.unidirectional_gb_per_s[0][1], rel=0.05)
    assert peers.latency_reads_us is not None
    assert peers.latency_reads_us[0][1] > 3 * peers.latency_us[0][1]
    assert peers.cpu_latency_reads_us is not None


def test_a_narrow_link_halves_the_copies_over_it_and_nothing_else(cuda_guest: Guest) -> None:
    """A link of half the width halves copies between host and card, not those inside the card."""
    full = cuda_guest.bandwidth()
    with cuda_guest.state(link={"generation": 3, "width": 8}):
        half = cuda_guest.bandwidth()
        width = cuda_guest.sh(
            "nvidia-smi -i 0 --query-gpu=pcie.link.width.current,pcie.link.width.max --format=csv,noheader"
        )

    assert half["Host to Device"] / full["Host to Device"] == pytest.approx(0.5, abs=0.03)
    assert half["Device to Host"] / full["Device to Host"] == pytest.approx(0.5, abs=0.03)
    assert half["Device to Device"] / full["Device to Device"] == pytest.approx(1, abs=0.05)
    assert width.strip() == "8, 16"


def test_memory_on_the_other_socket_slows_the_copies_of_that_card(cuda_guest: Guest) -> None:
    """Copies from memory of the other socket are slower."""
    with cuda_guest.state(machine={"cpu_numa_node": 0}):
        near, far = cuda_guest.bandwidth("--device=0"), cuda_guest.bandwidth("--device=1")

    assert far["Device to Host"] < near["Device to Host"] * 0.85


def test_an_outlier_is_one_sample_only(cuda_guest: Guest) -> None:
    """An outlier lowers one of several measurements."""
    with cuda_guest.state(outlier=0.7):
        first, second = cuda_guest.bandwidth(), cuda_guest.bandwidth()

    assert first["Host to Device"] < second["Host to Device"] * 0.75


def test_peer_access_must_be_exposed_to_a_guest(cuda_guest: Guest) -> None:
    """Cards of a guest reach each other only if the host exposes it and ACS does not redirect the traffic."""
    one_root = {"p2p_exposed": True}
    with cuda_guest.state(machine=one_root, host_numa_node=1):
        exposed = cuda_guest.sh("nvidia-smi topo -p2p r")
        arrived = cuda_guest.sh(f"{SAMPLES}/*/simpleP2P/simpleP2P")
    with cuda_guest.state(machine={**one_root, "acs_redirect": True}, host_numa_node=1):
        code, zeroed = cuda_guest.run(f"{SAMPLES}/*/simpleP2P/simpleP2P")

    assert re.search(r"^ GPU0\s+X\s+NS", cuda_guest.sh("nvidia-smi topo -p2p r"), re.M)
    assert re.search(r"^ GPU0\s+X\s+OK", exposed, re.M)
    assert "Test passed" in arrived
    assert (code, "val = 0.000000" in zeroed) == (1, True)


def test_the_states_of_a_bad_card_show_in_its_sensors(cuda_guest: Guest) -> None:
    """Throttling, ECC errors and retired pages appear in nvidia-smi."""
    with cuda_guest.state(throttle="thermal", ecc_uncorrected=3, retired_double_bit=61, retirement_pending=True):
        report = cuda_guest.sh("nvidia-smi -q -i 0")
    with cuda_guest.state(sensors_fail=True):
        code, table = cuda_guest.run("nvidia-smi")

    assert re.search(r"HW Thermal Slowdown +: Active", report)
    assert re.search(r"Double Bit ECC +: 61", report)
    assert re.search(r"Pending Page Blacklist +: Yes", report)
    assert (code, "ERR!" in table) == (0, True)


def test_gpu_burn_says_faulty_and_exits_with_zero(cuda_guest: Guest) -> None:
    """gpu_burn reports a faulty card in its text, not in its exit code."""
    cuda_guest.sh(
        "yum install -y https://dl.fedoraproject.org/pub/epel/epel-release-latest-7.noarch.rpm; yum install -y gpu-burn"
    )

    with cuda_guest.state(computes_wrong=True):
        code, said = cuda_guest.run("gpu_burn 1")

    assert (code, "GPU 0: FAULTY" in said, "GPU 1: OK" in said) == (0, True, True)


def test_nvbandwidth_measures_the_same_quantities(cuda_guest: Guest) -> None:
    """nvbandwidth and bandwidthTest measure the same bandwidths."""
    cuda_guest.sh(
        "yum install -y https://dl.fedoraproject.org/pub/epel/epel-release-latest-7.noarch.rpm; "
        "yum install -y nvbandwidth"
    )

    cases = {case["name"]: case for case in json.loads(cuda_guest.sh("nvbandwidth -j"))["nvbandwidth"]["testcases"]}

    sample = cuda_guest.bandwidth()["Host to Device"] * 2**20 / 1e9
    assert cases["host_to_device_memcpy_ce"]["max"] == pytest.approx(sample, rel=0.05)
    assert cases["device_to_device_memcpy_read_ce"]["status"] == "Waived"


def test_an_updated_library_does_not_fit_the_loaded_module(cuda_guest: Guest) -> None:
    """After an update of the library alone, nvidia-smi reports a version mismatch."""
    state = "/var/lib/nvidia/driver.json"
    cuda_guest.sh(f'cp {state} /root/before.json; sed -i \'s/"library": "384.183"/"library": "396.82"/\' {state}')

    code, said = cuda_guest.run("nvidia-smi")
    cuda_guest.sh(f"cp /root/before.json {state}")

    assert (code, "Driver/library version mismatch" in said) == (18, True)


def test_a_card_that_fell_off_the_bus_logs_no_xid(cuda_guest: Guest) -> None:
    """A card that fell off the bus leaves no Xid in the log."""
    with cuda_guest.state(off_bus=True):
        cuda_guest.reload()
        code, said = cuda_guest.run("nvidia-smi")
        log = cuda_guest.sh("dmesg")
    cuda_guest.reload()

    assert (code, "GPU is lost" in said) == (15, True)
    assert "GPU 0000:00:05.0: GPU has fallen off the bus." in log
    assert "Xid" not in log


def test_what_newer_drivers_say_of_a_card(cuda_guest: Guest) -> None:
    """What is to be done with it, what cannot be read, and a corrupted infoROM, for which the exit code stands, too."""
    state = "/var/lib/nvidia/driver.json"
    cuda_guest.sh(f"cp {state} /root/before.json; sed -i s/384.183/580.65.06/g {state}")
    with cuda_guest.state(recovery_action="Reset", unreadable_fields=["Host Max"], inforom_corrupted=True):
        cuda_guest.reload()
        code, said = cuda_guest.run("nvidia-smi -q")
        plain, _ = cuda_guest.run("nvidia-smi")
    cuda_guest.sh(f"cp /root/before.json {state}")
    cuda_guest.reload()

    card = query.parse(said).gpus[0]
    assert (code, plain) == (14, 14)
    assert query.parse(said).warnings == ("WARNING: infoROM is corrupted at gpu 0000:00:05.0",)
    assert card.recovery_action == "Reset"
    assert list(card.unreadable) == ["PCI/GPU Link Info/PCIe Generation/Host Max"]


def test_what_the_driver_writes_of_cards_and_switches(cuda_guest: Guest) -> None:
    """Notes, errors of a switch, and a refusal because of a mode that the driver is not prepared for."""
    states = {"driver_notes": ["nvCheckOkFailedNoLog: Check failed"], "switch_errors": ["23001, Fatal, Link 12"]}
    with cuda_guest.state(**states):
        cuda_guest.reload()
        log = kernel_log.parse(cuda_guest.sh("dmesg"))
    with cuda_guest.state(confidential_computing=True):
        cuda_guest.reload()
        refused = cuda_guest.sh("dmesg")
    cuda_guest.reload()

    assert [error.is_fatal for error in log.switch_errors] == [True]
    assert not any("nvCheck" in line for line in log.probe_errors)
    assert "NVIDIA 384.183 driver release" in refused


def test_a_kernel_that_a_card_cannot_run_and_a_driver_that_hangs(cuda_guest: Guest) -> None:
    """CUDA's words at the launch; and no word at all."""
    product = cuda_guest.sh(f"find {SAMPLES} -name matrixMul -type f").strip()
    with cuda_guest.state(launch_fails="no image"):
        code, said = cuda_guest.run(f"{product} -device=0")
        other, _ = cuda_guest.run(f"{product} -device=1")
    with cuda_guest.state(hangs=True):
        waited = [cuda_guest.run(f"timeout 1 {program}")[0] for program in ("nvidia-smi", product)]

    assert (code, "code=48(cudaErrorNoKernelImageForDevice)" in said, other) == (1, True, 0)
    assert waited == [124, 124]


def test_every_second_copy_over_a_link_that_flaps(cuda_guest: Guest) -> None:
    """The others reach what they should."""
    with cuda_guest.state(link_flaps=0.5):
        figures = [cuda_guest.bandwidth("--htod")["Host to Device"] for _ in range(4)]

    assert figures[1] / figures[0] == pytest.approx(2.0, rel=0.05)
    assert figures[3] / figures[2] == pytest.approx(2.0, rel=0.05)


def test_a_bar_without_address_space_keeps_that_card_out(cuda_guest: Guest) -> None:
    """The driver leaves out a card whose BAR has no address space."""
    with cuda_guest.state(bar_unassigned=True):
        cuda_guest.reload()
        query = cuda_guest.sh(f"{SAMPLES}/1_Utilities/deviceQuery/deviceQuery")
        log = cuda_guest.sh("dmesg")
    cuda_guest.reload()

    assert "Detected 1 CUDA Capable device(s)" in query
    assert "BAR1 is 0M @ 0x0 (PCI:0000:00:05.0)" in log


@pytest.mark.parametrize(
    "options", ["--mode=range --start=1000 --end=3000 --increment=1000", "--mode=shmoo --csv", "--memory=pageable"]
)
def test_the_bandwidth_tests_other_modes_pass(cuda_guest: Guest, options: str) -> None:
    """bandwidthTest accepts its other options."""
    assert "Result = PASS" in cuda_guest.sh(f"{SAMPLES}/1_Utilities/bandwidthTest/bandwidthTest {options}")


def test_cloud_init_carries_out_the_instances_data(make_guest: Callable[..., Guest]) -> None:
    """The real cloud-init applies keys, host name and script, and prints the host keys on the console."""
    import base64

    script = "#!/bin/bash\necho script ran on $(hostname) > /var/lib/ran\n"
    seed = {
        "instance_id": "i-1",
        "hostname": "one-card",
        "public_keys": ["ssh-ed25519 AAAAC3Nz test"],
        "user_data": base64.b64encode(script.encode()).decode(),
    }
    guest = make_guest(seed)
    deadline = time.monotonic() + 60
    while "login:" not in guest.machines.client.console(guest.name) and time.monotonic() < deadline:
        time.sleep(0.1)

    console = guest.machines.client.console(guest.name)

    assert guest.sh("cat /var/lib/ran") == "script ran on one-card\n"
    assert "AAAAC3Nz" in guest.sh("cat /home/cloud-user/.ssh/authorized_keys")
    assert "-----BEGIN SSH HOST KEY KEYS-----" in console
    assert guest.machines.client.state(guest.name)["host_keys"][0] in console


def test_virt_customize_runs_under_the_appliances_kernel(
    machines: Machines, compute: str, image: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Programs that virt-customize runs see the kernel of its appliance."""
    variables = {"LAB_NAME": machines.paths.name, "LAB_MACHINE": compute, "LAB_CWD": "/root"}
    for name, value in {**variables, "GPU_LAB_HOME": str(machines.paths.home)}.items():
        monkeypatch.setenv(name, value)
    copy = MachineDir(machines.paths, compute).path("/root/gpu.qcow2")
    shutil.copy(image, copy)
    before = copy.read_bytes()

    steps = ["--run-command", "yum install -y kernel-devel-$(uname -r)"]
    refused = virt_customize.virt_customize(["-a", "gpu.qcow2", *steps])
    untouched = copy.read_bytes() == before
    steps = ["--install", "gcc,make", "--write", "/etc/motd:GPU image", "--append-line", "/etc/motd:of the lab"]
    steps += ["--root-password", "password:secret", "--firstboot-command", "touch /var/lib/first-boot-ran"]
    done = virt_customize.virt_customize(["-a", "gpu.qcow2", *steps, "--update", "--selinux-relabel"])

    assert (refused, untouched) == (1, True)
    said = capsys.readouterr()
    assert "No package kernel-devel-3.10.0-957.el7.x86_64 available." in said.out
    assert done == 0
    assert "secret" not in said.out + said.err
    assert hooks.image_os(copy)["kernel"] == "3.10.0-1160.el7.x86_64"
    name = "guest-customized"
    declaration = {
        "kind": "guest",
        "uuid": name,
        "hostname": name,
        "host": compute,
        "vcpus": 1,
        "memory_mb": 512,
        "gpus": [],
    }
    machines.client.define(name, declaration, copy, {})
    MachineDir(machines.paths, name).path("/etc/cloud/cloud-init.disabled").touch()
    machines.client.boot(name)
    assert machines.sh(name, "uname -r; cat /etc/motd").split("\n") == [
        "3.10.0-1160.el7.x86_64",
        "GPU image",
        "of the lab",
        "",
    ]
    assert machines.sh(name, "getent shadow root").startswith("root:$6$")
    for _ in range(100):
        if "login:" in machines.client.console(name):
            break
        time.sleep(0.1)
    machines.sh(name, "test -e /var/lib/first-boot-ran")
    machines.client.destroy(name)


@pytest.mark.parametrize("name", list(base_images.IMAGES))
def test_every_vendors_image_takes_a_driver(
    machines: Machines, compute: str, tmp_path: Path, name: str, request: pytest.FixtureRequest
) -> None:
    """The driver can be installed in the image of each vendor."""
    base_images.make(machines.paths, tmp_path / name, name)
    guest = f"vendor-{len(name)}-{name[5:8].strip('-s')}"
    request.addfinalizer(lambda: machines.client.destroy(guest))
    declaration = {"kind": "guest", "uuid": guest, "hostname": guest, "host": compute, "vcpus": 8, "memory_mb": 16384}
    machines.client.define(guest, {**declaration, "gpus": ["0000:04:00.0"]}, tmp_path / name, {})
    MachineDir(machines.paths, guest).path("/etc/cloud/cloud-init.disabled").touch()
    machines.client.boot(guest)

    machines.sh(guest, "yum-config-manager --add-repo https://x/compute/cuda/repos/rhel8/x86_64/cuda-rhel8.repo")
    machines.sh(guest, f"{HEADERS} && yum install -y cuda-drivers-470.256.02 && modprobe nvidia")

    assert machines.sh(guest, "nvidia-smi -L").startswith("GPU 0: Tesla P100-PCIE-16GB")
