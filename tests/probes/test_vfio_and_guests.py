"""Probes of hosts that give cards away, of guests' ends and of what cards compute."""

from __future__ import annotations

import pytest

from access.errors import ParseError, ToolFailure
from probes import alias_request, audit_log, dracut_conf, matrix_mul, simple_p2p, vfio_log
from probes.openstack import guest_panic

RESET = """[ 4711.1] vfio-pci 0000:84:00.0: not ready 1023ms after FLR; waiting
[ 4727.1] vfio-pci 0000:84:00.0: not ready 65535ms after FLR; giving up
[ 4728.0] vfio-pci 0000:84:00.0: timed out waiting for pending transaction; performing function level reset anyway
"""


def test_a_card_that_did_not_come_back_is_told_once():
    """A reset that failed is reported once for each device."""
    assert vfio_log.parse(RESET).failed_resets == ("0000:84:00.0",)


@pytest.mark.parametrize(
    "line",
    [
        RESET.splitlines()[0],
        RESET.splitlines()[2],
        "vfio-pci 0000:c8:00.0: timed out waiting for pending transaction; performing reset anyway",
        "vfio-pci 0000:3d:00.0: not ready 32767ms after bus reset; waiting",
        "vfio-pci 0000:3d:00.0: ready 4095ms after FLR",
        "vfio-pci 0000:3d:00.0: vfio_bar_restore: reset recovery - restoring BARs",
        "vfio-pci 0000:3d:00.0: resetting",
    ],
)
def test_a_reset_that_was_waited_for_is_no_failure(line: str):
    """Warnings before and during a reset are no lost card."""
    assert vfio_log.parse(line).failed_resets == ()


@pytest.mark.parametrize(
    "line",
    [
        "vfio-pci 0000:84:00.0: not ready 65535ms after bus reset; giving up",
        "vfio-pci 0000:84:00.0: not ready 65535ms after resume; giving up",
        "vfio-pci 0000:84:00.0: Failed to return from FLR",
        "vfio-pci 0000:84:00.0: Refused to change power state, currently in D3",
        "vfio-pci 0000:84:00.0: Unable to power on device, stuck in D3",
        "pcieport 0000:84:00.0: not ready 65535ms after DPC; giving up",
        "vfio-pci 0000:84:00.0: Unable to change power state from unknown to D0, device inaccessible",
        "vfio-pci 0000:84:00.0: Unable to change power state from D3hot to D0, device inaccessible",
        "vfio-pci 0000:84:00.0: can't change power state from D3hot to D0 (config space inaccessible)",
    ],
)
def test_a_card_that_is_lost(line: str):
    """Whatever reset it did not come back from."""
    assert vfio_log.parse(line).failed_resets == ("0000:84:00.0",)


@pytest.mark.parametrize(
    "line",
    [
        "vfio-pci 0000:84:00.0: Unable to change power state from D3cold to D0, device inaccessible",
        "vfio-pci 0000:84:00.0: can't change power state from D3cold to D0 (config space inaccessible)",
        "nvidia 0000:84:00.0: Unable to change power state from D3cold to D0, device inaccessible",
    ],
)
def test_a_card_that_does_not_wake_up_is_not_one_that_was_lost_in_a_reset(line: str):
    """Another cause with another fix."""
    found = vfio_log.parse(f"[ 1.0] {line}\n[ 2.0] {line}")

    assert (found.failed_resets, found.asleep) == ((), ("0000:84:00.0",))


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("Out of memory: Kill process 28114 (qemu-kvm) score 936 or sacrifice child", 1),
        ("Out of memory: Killed process 9999 (qemu-system-x86) total-vm:135000000kB, anon-rss:131072000kB", 1),
        ("oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),task=CPU 3/KVM,pid=881,uid=107", 1),
        ("Out of memory: Killed process 12 (firefox) total-vm:10kB", 0),
    ],
)
def test_only_killed_instances_are_told(line: str, told: int):
    """Only processes of QEMU that were killed for want of memory are reported."""
    assert len(vfio_log.parse(line).killed_instances) == told


def test_refusals_of_vfio_are_read_from_selinux_and_apparmor():
    """Refusals that concern VFIO are read from both, others are left out."""
    text = (
        'type=AVC msg=audit(1:2): avc:  denied  { read write } for  pid=1 comm="qemu-kvm" path="/dev/vfio/20"\n'
        'audit: apparmor="DENIED" operation="open" profile="libvirt-1" name="/dev/vfio/21" comm="qemu"\n'
        'type=AVC msg=audit(1:3): avc:  denied  { read } for  comm="httpd" path="/etc/shadow"\n'
    )

    assert [denial.operation for denial in audit_log.parse(text)] == ["read write", "open"]


APPARMOR = (
    'audit: type=1400 audit(1:2): apparmor="DENIED" operation="{op}" profile="libvirt-5a" {what} comm="qemu-system-x86"'
)
AVC = 'type=AVC msg=audit(1:2): avc:  denied  {{ {what} }} for  pid=1 comm="qemu-kvm" {more}'


@pytest.mark.parametrize(
    "line",
    [
        # Debian 13, kernel 6.12
        '[  421.211292] audit: type=1400 audit(1796098466.640:119): apparmor="DENIED" operation="open" class="file" '
        'profile="libvirt-7c3ea024-3022-4427-b99a-9a2472d4660c" name="/dev/vfio/9" pid=1525 comm="qemu-system-x86" '
        'requested_mask="wr" denied_mask="wr" fsuid=64055 ouid=64055',
        APPARMOR.format(op="open", what='name="/dev/iommu"'),
        APPARMOR.format(op="open", what='name="/sys/devices/pci0000:80/0000:80:02.0/0000:84:00.0/config"'),
        APPARMOR.format(op="capable", what='capability=24  capname="sys_resource"'),
        APPARMOR.format(op="open", what='name="/sys/bus/pci/devices/0000:84:00.0/resource1"'),
        APPARMOR.format(op="capable", what='capability=14  capname="ipc_lock"'),
        APPARMOR.format(op="open", what='name="/dev/vfio/devices/vfio0"'),
        APPARMOR.format(op="open", what='name="/sys/kernel/iommu_groups/42/type"'),
        AVC.format(what="read write", more='path="/dev/iommu" permissive=0'),
        AVC.format(what="sys_resource", more="capability=24 scontext=system_u:system_r:svirt_t:s0 tclass=capability"),
        AVC.format(what="read", more='name="config" dev="sysfs" tcontext=system_u:object_r:sysfs_t:s0 tclass=file'),
        AVC.format(what="setrlimit", more="scontext=system_u:system_r:virtqemud_t:s0 tclass=process"),
    ],
)
def test_a_refusal_that_keeps_an_instance_from_its_device(line: str):
    """Nodes of the IOMMU, files of the device, and the rights to lock its memory."""
    assert len(audit_log.parse(line)) == 1


@pytest.mark.parametrize(
    "line",
    [
        APPARMOR.format(op="open", what='name="/etc/ceph/ceph.conf"'),
        APPARMOR.format(op="open", what='name="/sys/devices/system/cpu/online"'),
        APPARMOR.format(op="open", what='name="/dev/vfio/21"').replace("DENIED", "ALLOWED"),
        AVC.format(what="read write", more='path="/dev/vfio/20" permissive=1'),
        'audit: apparmor="DENIED" operation="capable" profile="/usr/sbin/cupsd" capname="sys_resource" comm="cupsd"',
        'type=AVC msg=audit(1:3): avc:  denied  { sys_resource } for  comm="httpd" tclass=capability permissive=0',
        'audit: apparmor="DENIED" operation="open" profile="virt-aa-helper" name="/sys/devices/pci0000:00/config"',
    ],
)
def test_a_refusal_that_keeps_no_instance_from_anything(line: str):
    """Of other programs, of other files, or one that was only noted."""
    assert audit_log.parse(line) == ()


def test_modules_that_dracut_shall_pack_are_read_once_each():
    """Modules of add_drivers and force_drivers are read once each, comments are not."""
    text = 'add_drivers+=" vfio vfio_pci "\n# add_drivers+=" commented "\nforce_drivers+=" vfio_pci vfio_virqfd "\n'

    assert dracut_conf.parse(text) == ("vfio", "vfio_pci", "vfio_virqfd")


def test_a_panic_counts_until_the_next_boot():
    """A panic before the last boot does not count."""
    panic = "[    0.8] Kernel panic - not syncing: Out of memory and no killable processes...\n"

    found = guest_panic.parse(f"[    0.0] Linux version 3.10\n{panic}")

    assert found is not None
    assert found.is_memory
    assert guest_panic.parse(f"{panic}[    0.0] Linux version 3.10\n") is None


@pytest.mark.parametrize(
    ("spec", "cards"),
    [("a1:2", {"a1": 2}), (" a1 :1, a2:3", {"a1": 1, "a2": 3}), ("a1", {"a1": 1}), ("a:1,a:2", {"a": 3}), ("", {})],
)
def test_cards_of_an_extra_spec_are_counted(spec: str, cards: dict[str, int]):
    """The numbers of one alias are added up; a name without a number is one card."""
    assert alias_request.parse(spec) == cards


@pytest.mark.parametrize("spec", ["a1:two", "a1:-1", "a1:1:2"])
def test_a_request_that_nova_cannot_read_gives_no_card(spec: str):
    """Nova makes no instance of such a flavor, whoever made it."""
    assert alias_request.of_flavor({alias_request.ALIAS: spec}) == {}


RIGHT = """[Matrix Multiply Using CUDA] - Starting...
GPU Device 0: "Pascal" with compute capability 6.0

MatrixA(320,320), MatrixB(640,320)
Computing result using CUDA Kernel...
done
Performance= 1503.61 GFlop/s, Time= 0.087 msec, Size= 131072000 Ops, WorkgroupSize= 1024 threads/block
Checking computed result for correctness: Result = PASS

NOTE: The CUDA Samples are not meant for performance measurements. Results may vary when GPU Boost is enabled.
"""


def test_a_right_product_is_read():
    """matrixMul that passed gives its speed and no wrong element."""
    assert matrix_mul.parse(RIGHT) == matrix_mul.MatrixMul(True, 0, 1503.61)


def test_a_wrong_product_is_an_answer():
    """matrixMul that failed gives the number of wrong elements."""
    wrong = RIGHT.replace("Result = PASS", "Result = FAIL").replace(
        "done\n", "done\nError! Matrix[00005]=2.91, ref=3.20000005 error term is > 1.000000E-06\n"
    )

    found = matrix_mul.parse(wrong)

    assert (found.is_right, found.wrong_elements) == (False, 1)


@pytest.mark.parametrize("text", ["", RIGHT.split("Checking")[0], "nonsense"])
def test_a_product_without_a_result_is_no_answer(text: str):
    """matrixMul without a result line is a ParseError."""
    with pytest.raises(ParseError):
        matrix_mul.parse(text)


P2P = """[./simpleP2P] - Starting...
Checking for multiple GPUs...
CUDA-capable device count: 2

Checking GPU(s) for support of peer to peer memory access...
> Peer access from Tesla P100-PCIE-16GB (GPU0) -> Tesla P100-PCIE-16GB (GPU1) : {access}
> Peer access from Tesla P100-PCIE-16GB (GPU1) -> Tesla P100-PCIE-16GB (GPU0) : {access}
{end}
"""


def test_copies_that_arrived():
    """simpleP2P that passed gives the pairs that have access."""
    found = simple_p2p.parse(P2P.format(access="Yes", end="Disabling peer access...\nShutting down...\nTest passed"))

    assert (found.copies_arrive, found.can_access) == (True, frozenset({(0, 1), (1, 0)}))


def test_copies_that_did_not_arrive():
    """simpleP2P with a verification error says that copies do not arrive."""
    end = "Verification error @ element 1: val = 0.000000, ref = 4.000000\nTest failed!"

    found = simple_p2p.parse(P2P.format(access="Yes", end=end))

    assert (found.copies_arrive, found.wrong_elements) == (False, 1)


def test_cards_that_do_not_reach_each_other_copy_nothing():
    """Without peer access nothing is known of copies."""
    end = "Peer to Peer access is not available amongst GPUs in the system, waiving test."

    assert simple_p2p.parse(P2P.format(access="No", end=end)).copies_arrive is None


def test_a_copy_that_was_cut_off_is_no_answer():
    """simpleP2P without its end is a ParseError."""
    with pytest.raises(ParseError):
        simple_p2p.parse(P2P.format(access="Yes", end="Enabling peer access between GPU0 and GPU1..."))


def test_cudas_own_refusal_is_told_apart():
    """A CUDA error of simpleP2P is a ToolFailure."""
    with pytest.raises(ToolFailure):
        simple_p2p.parse(
            "[./simpleP2P] - Starting...\ncudaGetDeviceCount returned 35\n-> CUDA driver version is insufficient"
        )
