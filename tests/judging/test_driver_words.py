"""The driver's own lines say why a card is not taken; the same words can have several causes."""

from __future__ import annotations

import pytest

from access.errors import Rejected
from judging.causes import cause_of, fix_of
from judging.driver_words import findings, known_causes, of_switches, of_xids
from judging.verdicts import require_none
from probes import kernel_log
from probes.references.xids import REJECTING

REFUSED = """[   12.1] NVRM: The NVIDIA GPU 0000:04:00.0 (PCI ID: 10de:{product})
[   12.1] NVRM: installed in this system is not supported by the
[   12.1] NVRM: NVIDIA {driver} driver release.
[   12.1] nvidia: probe of 0000:04:00.0 failed with error -1
"""


def causes(text: str) -> list[str]:
    return [finding.cause.partition("/")[0] for finding in findings(text.splitlines())]


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        ("NVRM: GPU 0000:04:00.0: RmInitAdapter failed! (0x25:0xffff:1457)", "card-does-not-initialize"),
        ("NVRM: GPU 0000:04:00.0: RmInitAdapter failed! (0x62:0x0:2142)", "card-does-not-initialize"),
        ("NVRM: rm_init_adapter failed, device minor number 0", "card-does-not-initialize"),
        (
            "NVRM: GPU0 confComputeConstructEngine: CPU does not support confidential compute.",
            "confidential-computing-mode",
        ),
        ("NVRM: GPU0 x: GPU confidential compute capability is not enabled.", "confidential-computing-mode"),
        ("NVRM: The NVIDIA vGPU 0000:06:00.0 (PCI ID: 10de:2330)", "virtual-gpu-instead-of-a-card"),
        ("NVRM: Can't find an IRQ for your NVIDIA card!", "card-without-interrupt"),
        ("NVRM: ignoring the legacy GPU 0000:04:00.0", "branch-without-this-architecture"),
        ("NVRM: request_mem_region failed for 16M @ 0xf6000000. This can", "card-held-by-another-driver"),
        ("NVRM: failed to wait for bar firewall to lower", "card-does-not-initialize"),
        ("NVRM: FATAL: Failed to re-allocate BAR1.", "no-room-for-a-bar"),
        ("NVRM: GPU0 RmInitAdapter: Cannot initialize GSP firmware RM", "card-does-not-initialize"),
        ("NVRM: GPU0 _kgspBootGspRm: unexpected WPR2 already up, cannot proceed", "card-does-not-initialize"),
        ("NVRM: fallen off the bus and is not responding to commands.", "card-fell-off-the-bus"),
        ("NVRM: BAR1 is 0M @ 0x0 (PCI:0000:4f:00.0)", "no-room-for-a-bar"),
        ("NVRM: This PCI I/O region assigned to your NVIDIA device is invalid:", "no-room-for-a-bar"),
        ("NVRM: This is a 64-bit BAR mapped above 16 TB by the system BIOS or the Linux", "no-room-for-a-bar"),
        ("nvidia 0000:04:00.0: Direct firmware load for nvidia/550.54.15/gsp_ga10x.bin failed", "gsp-firmware-missing"),
        ("NVRM: GPU0 RmFetchGspRmImages: No firmware image found", "gsp-firmware-missing"),
        ("nvidia: version magic '5.14.0-1 SMP' should be '5.14.0-2 SMP'", "module-of-another-kernel"),
        ("nvidia: disagrees about version of symbol module_layout", "module-of-another-kernel"),
        ("nvidia: Unknown symbol drm_gem_object_put (err -2)", "module-of-another-kernel"),
        ("modprobe: ERROR: could not insert 'nvidia': Exec format error", "module-of-another-kernel"),
        ("Error! Bad return status for module build on kernel: 5.14.0-2 (x86_64)", "module-not-built"),
        ("Error! Your kernel headers for kernel 5.14.0-2 cannot be found.", "module-not-built"),
        ("modprobe: FATAL: Module nvidia not found in directory /lib/modules/5.14.0-2", "module-not-built"),
        ("ERROR: Unable to find the kernel source tree for the currently running kernel.", "module-not-built"),
        ("Loading of unsigned module is rejected", "secure-boot-refuses-the-module"),
        ("Loading of module with unavailable key is rejected", "secure-boot-refuses-the-module"),
        ("Lockdown: modprobe: unsigned module loading is restricted", "secure-boot-refuses-the-module"),
        ("NVRM: installed in this system requires use of the NVIDIA open kernel modules.", "open-module-is-required"),
        ("NVRM: obtained ownership of the NVIDIA device(s).", "card-held-by-another-driver"),
        ("NVRM:  information.  The 595.71.03 NVIDIA driver will ignore", "branch-without-this-architecture"),
    ],
)
def test_the_drivers_own_words_are_the_reason(line: str, cause: str) -> None:
    """Of the kernel, the driver, modprobe and dkms."""
    assert causes(f"[   12.1] {line}") == [cause]


@pytest.mark.parametrize(
    ("line", "causes_named"),
    [
        ("install /bin/false", ["module-kept-out"]),
        ("blacklist nvidia", ["module-kept-out"]),
        ("install /usr/bin/true", ["module-kept-out"]),
        ("insmod /lib/modules/5.14.0/extra/nvidia.ko", []),
        ("blacklist nvidiafb", []),
        ("blacklist nouveau", []),
    ],
)
def test_what_modprobe_would_do(line: str, causes_named: list[str]) -> None:
    """It is asked without loading anything."""
    assert causes(line) == causes_named


@pytest.mark.parametrize(
    ("product", "driver", "cause"),
    [
        ("2330", "570.86.15", "confidential-computing-mode"),
        ("2901", "580.65.06", "confidential-computing-mode"),
        ("2330", "470.82.01", "branch-before-this-model"),
        ("2901", "550.54.15", "branch-before-this-model"),
        ("15f8", "384.183", "driver-of-another-kind"),
        ("20b5", "550.54.15", "driver-of-another-kind"),
        ("fffe", "550.54.15", "driver-of-another-kind"),
    ],
)
def test_a_release_that_does_not_support_a_card(product: str, driver: str, cause: str) -> None:
    """The branch is too old, the card is in another mode, or the driver is one of another kind."""
    [found] = findings(REFUSED.format(product=product, driver=driver).splitlines())

    assert found.cause.partition("/")[0] == cause
    assert "0000:04:00.0" in found.what
    assert fix_of(found.cause, **found.values)


@pytest.mark.parametrize(
    "line",
    [
        "nvidia: module verification failed: signature and/or required key missing - tainting kernel",
        "nvidia: loading out-of-tree module taints kernel.",
        "NVRM: nvCheckOkFailedNoLog: Check failed: Call not supported [NV_ERR_NOT_SUPPORTED]",
        "NVRM: Xid (PCI:0000:04:00): 79, GPU has fallen off the bus.",
        "e1000: Unknown symbol foo (err -2)",
        "NVRM: Ignore non-zero device function is not supported.",
        "NVRM: No address space to allocate resized BAR1.",
        "NVRM: devfreq cooling cannot be found",
        "NVRM: Confidential Compute devtools mode DISABLED in APM.",
        "iwlwifi 0000:00:14.3: Direct firmware load for iwlwifi-ty-a0-gf-a0-66.ucode failed with error -2",
    ],
)
def test_what_is_no_reason(line: str) -> None:
    """Notes, other drivers, and Xids, which are read by their number."""
    assert causes(f"[   12.1] {line}") == []


def test_the_most_telling_reason_comes_first_and_none_is_lost() -> None:
    """A refused probe is what follows from the rest."""
    text = "[ 1.0] NVRM: GPU 0000:04:00.0: RmInitAdapter failed! (0x25:0xffff:1457)\n" + REFUSED.format(
        product="15f8", driver="361.42"
    ).replace("04", "05")

    assert causes(text) == ["driver-of-another-kind", "card-does-not-initialize"]
    with pytest.raises(Rejected) as caught:
        require_none(findings(text.splitlines()))
    assert "0000:05:00.0" in str(caught.value)
    assert "0x25:0xffff:1457" in str(caught.value)


VGPU = """[ 1.0] NVRM: The NVIDIA vGPU 0000:06:00.0 (PCI ID: 10de:2330)
[ 1.0] NVRM: installed in this system is not supported by open
[ 1.0] NVRM: nvidia.ko.
"""


def test_a_virtual_gpu_is_not_blamed_on_the_flavour_of_the_module() -> None:
    """The sentence goes on as it does for a card without GSP."""
    assert causes(VGPU)[0] == "virtual-gpu-instead-of-a-card"


@pytest.mark.parametrize(
    "line",
    [
        "NVRM: GPU0 confComputeConstructEngine: CPU does not support confidential compute.",
        "NVRM: Can't find an IRQ for your NVIDIA card!",
        "NVRM: failed to wait for bar firewall to lower",
        "NVRM: ignoring the legacy GPU 0000:04:00.0",
        "NVRM: FATAL: Failed to re-allocate BAR1.",
    ],
)
def test_what_is_a_reason_is_also_a_complaint_where_the_module_is_loaded(line: str) -> None:
    """Another card may have been taken."""
    log = kernel_log.parse(f"[ 1.0] {line}")

    assert len(findings(log.probe_errors)) == 1


def test_every_reason_is_a_cause_of_the_check_that_names_it() -> None:
    """The data name causes that exist."""
    for cause in known_causes():
        assert cause_of(cause).is_given_by("instance.driver.loaded"), cause


XIDS = """[ 1.0] NVRM: Xid (PCI:0000:04:00): 13, pid=1, Graphics SM Warp Exception
[ 2.0] NVRM: Xid (PCI:0000:04:00): 119, pid=1, Timeout after 6s of waiting for RPC response from GPU0 GSP!
[ 3.0] NVRM: Xid (PCI:0000:05:00): 79, pid=1, GPU has fallen off the bus.
[ 4.0] NVRM: Xid (PCI:0000:04:00): 119, pid=1, Timeout after 6s of waiting for RPC response from GPU0 GSP!
[ 5.0] NVRM: Xid (PCI:0000:06:00): 48, pid=1, DBE (Double Bit Error) occurred
"""


def test_the_worst_xid_gives_the_fix_and_every_place_its_words() -> None:
    """A program's own fault is not among them; what was said twice is counted."""
    found = of_xids(kernel_log.parse(XIDS).xids)

    assert [finding.cause for finding in found] == ["xid/power-cycle", "xid/reset", "xid/firmware"]
    assert "0000:05:00.0" in found[0].what
    assert "2 times" in found[2].what
    with pytest.raises(Rejected) as caught:
        require_none(found)
    assert all(f"0000:0{bus}:00.0" in caught.value.what for bus in "456")
    assert caught.value.cause == "xid"
    assert "power-cycle" in caught.value.remedy


@pytest.mark.parametrize("number", [13, 31, 43, 45, 63, 68, 69, 92, 106])
def test_a_programs_own_fault_rejects_no_card(number: int) -> None:
    """Nor does a note of the driver."""
    assert of_xids(kernel_log.parse(f"[ 1.0] NVRM: Xid (PCI:0000:04:00): {number}, pid=1, x").xids) == []


def test_every_action_has_its_own_fix() -> None:
    """None falls back to the common words."""
    fixes = {fix_of(f"xid/{action}") for action in REJECTING}

    assert len(fixes) == len(REJECTING)


def test_a_fatal_error_of_a_switch() -> None:
    """Non-fatal ones are notes."""
    text = (
        "[ 1.0] nvidia-nvswitch3: SXid (PCI:0000:05:00.0): 12028, Non-fatal, Link 32 egress non-posted PRIV error\n"
        "[ 2.0] nvidia-nvswitch0: SXid (PCI:0000:59:00.0): 23001, Fatal, Link 12 Always Fatal\n"
    )
    [found] = of_switches(kernel_log.parse(text).switch_errors)

    assert found.cause == "nvswitch-error"
    assert "23001" in found.what
    assert "12028" not in found.what
