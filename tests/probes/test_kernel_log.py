"""The driver's lines in the kernel log: what speaks against a card, what against a program, and what against nobody."""

from __future__ import annotations

import pytest

from access.errors import ParseError
from probes import kernel_log
from probes.references.xids import HARMLESS, REJECTING, meanings

NVLINK = "NVRM: Xid (PCI:0000:3b:00): "
RECOVERY = "NVRM: Xid (PCI:0000:3b:00): 154, GPU recovery action changed from "


def actions(*lines: str) -> list[str]:
    """What is left to do for the Xids of a log."""
    return [xid.action for xid in kernel_log.parse("\n".join(f"[   12.000001] {line}" for line in lines)).xids]


@pytest.mark.parametrize(
    ("line", "action"),
    [
        (NVLINK + "145, RLW_SRC_TRACK Fatal XC0 i0 Link 05 (0x00000001 0x00000002)", "reset"),
        (NVLINK + "145, RLW_SRC_TRACK Nonfatal XC1 i0 Link 12 (0x040988e2 0x00000008)", "none"),
        (NVLINK + "149, NETIR_BER_EVENT Nonfatal XC0 i0 Link 01 (0x00082226)", "none"),
        (NVLINK + "149, NETIR_LINK_DOWN Fatal XC0 i0 Link 01 (0x00082226)", "reset"),
        (NVLINK + "144, pid=4, name=<unknown>, SAW_MVB Non-fatal XC0 i0 Link 00", "none"),
        (NVLINK + "150, MSE_WATCHDOG", "reset"),
        (RECOVERY + "0x0 (None) to 0x1 (GPU Reset Required)", "reset"),
        (RECOVERY + "0x0 (None) to 0x2 (Node Reboot Required)", "power-cycle"),
        (RECOVERY + "0x0 (None) to 0x2 (OS Reboot)", "power-cycle"),
        (RECOVERY + "0x0 (None) to 0x1 (PF FLR)", "reset"),
        (RECOVERY + "0x0 (None) to 0x4 (Drain and Reset)", "reset"),
        (RECOVERY + "0x1 (GPU Reset Required) to 0x0 (None)", "none"),
        (NVLINK + "13, pid=10635, Graphics SM Warp Exception on (GPC 0, TPC 0, SM 0)", "application"),
        (NVLINK + "43, pid='<unknown>', name=<unknown>, Ch 00000010", "none"),
        (NVLINK + "69, pid=1, name=python3, Class Error", "application"),
        (NVLINK + "48, pid=1234, DBE (Double Bit Error) occurred", "reset"),
        (NVLINK + "64, Row remapper failure", "exchange"),
        (NVLINK + "79, pid=1, GPU has fallen off the bus.", "power-cycle"),
        (NVLINK + "119, Timeout after 6s of waiting for RPC response from GPU0 GSP!", "firmware"),
        (NVLINK + "51, BAD_TSG encountered on runlist: 0 with error code: 4", "support"),
        (NVLINK + "999, never heard of", "support"),
    ],
)
def test_what_an_xid_asks_for(line: str, action: str) -> None:
    """By its number, or by what its line says."""
    assert actions(line) == [action]


def test_the_last_recovery_action_of_a_card_counts() -> None:
    """A reset that was done is no longer asked for; another card's stays."""
    other = (RECOVERY + "0x0 (None) to 0x1 (GPU Reset Required)").replace("3b", "5e")
    done = RECOVERY + "0x1 (GPU Reset Required) to 0x0 (None)"
    asked = RECOVERY + "0x0 (None) to 0x1 (GPU Reset Required)"

    assert actions(asked, other, done) == ["none", "reset", "none"]
    assert actions(asked, done, asked) == ["none", "none", "reset"]


def test_every_code_has_an_action_that_is_known() -> None:
    """Those whose line tells have all their actions known, too."""
    assert len(meanings()) > 100
    for meaning in meanings().values():
        assert set(meaning.actions) <= {*REJECTING, *HARMLESS}
        assert meaning.name


@pytest.mark.parametrize(
    ("line", "is_fatal"),
    [
        ("nvidia-nvswitch3: SXid (PCI:0000:05:00.0): 12028, Non-fatal, Link 32 egress non-posted PRIV error", False),
        ("nvidia-nvswitch0: SXid (PCI:0000:59:00.0): 23001, Fatal, Link 12 Always Fatal", True),
        ("nvidia-nvswitch1: SXid (PCI:0000:06:00.0): 20009, Non-fatal, Link 04 RX Short Error Rate", False),
        (
            "nvidia-nvswitch0: SXid (PCI:0000:c3:00.0): 24007, Severity 1 Engine instance 44 Sub-engine instance 00",
            False,
        ),
        ("nvidia-nvswitch0: SXid (PCI:0000:00:00.0): 11001, Fatal, ingress invalid command", True),
    ],
)
def test_errors_of_nvswitches_say_themselves_whether_they_are_fatal(line: str, is_fatal: bool) -> None:
    """Link 12 "Always Fatal" is fatal, "Non-fatal" is not."""
    [found] = kernel_log.parse(f"[ 1.0] {line}").switch_errors

    assert found.is_fatal is is_fatal
    assert found.address.endswith(":00.0")


@pytest.mark.parametrize(
    "line",
    [
        "NVRM: nvCheckOkFailedNoLog: Check failed: Call not supported [NV_ERR_NOT_SUPPORTED] (0x56) returned from",
        "NVRM: GPU0 nvAssertOkFailedNoLog: Assertion failed: Call not supported [NV_ERR_NOT_SUPPORTED] (0x00000056)",
        "NVRM: nvAssertFailedNoLog: Assertion failed: pGpu is invalid: @ kern_bus.c:123",
        "NVRM: knvlinkCoreShutdownDeviceLinks_IMPL: Need to shutdown all links unilaterally for GPU1, not supported",
        "NVRM: Persistence mode is deprecated and will be removed in a future release. Please use nvidia-persistenced",
        "NVRM: GPU at PCI:0000:04:00: GPU-1 feature is not supported",
        "nvidia-nvlink: Nvlink Core is being initialized, major device number 235",
        "NVRM: loading NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5 22:23:56 UTC 2024",
    ],
)
def test_what_the_driver_mumbles_on_healthy_machines(line: str) -> None:
    """Checks of its own and calls that a card does not have refuse no card."""
    assert kernel_log.parse(f"[   37.010271] {line}").probe_errors == ()


@pytest.mark.parametrize(
    "line",
    [
        "NVRM: installed in this system is not supported by the",
        "NVRM: installed in this system is not supported by open",
        "NVRM: The NVIDIA GPU 0000:01:00.0 (PCI ID: 10de:1287) installed in this system is not supported by the 304",
        "NVRM: GPU 0000:04:00.0: RmInitAdapter failed! (0x25:0xffff:1457)",
        "NVRM: BAR1 is 0M @ 0x0 (PCI:0000:4f:00.0)",
        "NVRM: installed in this system requires use of the NVIDIA open kernel modules.",
        "NVRM: The NVIDIA probe routine was not called for 1 device(s).",
        "nvidia: probe of 0000:4f:00.0 failed with error -1",
    ],
)
def test_a_card_that_the_driver_refused(line: str) -> None:
    """The driver's own words are kept."""
    assert kernel_log.parse(f"[   37.010271] {line}").probe_errors == (f"[   37.010271] {line}",)


@pytest.mark.parametrize(
    "text",
    ["qwertz uiop\n4711\n", "<html>\n<body>502</body></html>\n", "Last login: Mon\nWelcome!\n", "0\n", "{}\n"],
)
def test_a_text_that_is_no_kernel_log(text: str) -> None:
    """It reports no error, and that means nothing."""
    with pytest.raises(ParseError, match="not a kernel's log"):
        kernel_log.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "[    0.000000] Linux version 5.14.0 (mockbuild@x)\n",
        "[Mon Nov 30 08:00:00 2026] audit: type=1400\n",
        "nov. 30 08:00:00 host1 kernel: usb 1-1: new device\n",
        "2026-11-30T08:00:00,123456+00:00 systemd[1]: Started\n",
        "<6>[    1.2] pci 0000:00:02.0: BAR 0\n",
        "NVRM: loading NVIDIA UNIX x86_64 Kernel Module  384.183\n",
        "kern  :info  : [    0.1] x86/fpu: Supporting XSAVE\n",
        "kern  :warn  : 2025-01-21T04:41:44,285060+00:00 VFS: file-max limit 1000000 reached\n",
        "[Jan21 04:41] e1000: up\n",
        "[  +0.000012] e1000: up\n",
        "6,339,5140900,-;NET: Registered PF_INET6 protocol family\n",
        "[    1.5][    T1] smp: Brought up 1 node\n",
        "Nov 30 08:00:00.123 host kernel[12]: random: crng init done\n",
    ],
)
def test_forms_of_a_kernel_log(text: str) -> None:
    """dmesg with -T, -x, --time-format iso, raw, with callers; journalctl in any language."""
    assert kernel_log.parse(text).xids == ()
