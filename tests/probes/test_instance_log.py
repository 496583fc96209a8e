"""What nova-compute.log says of one instance."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from access.errors import ParseError
from access.local_host import LocalHost
from cloud_file.deployer import load_deployer
from probes.instance_log import LINES, parse, read
from probes.nova_log import LIMIT_CHARS

OURS = "6b1a3cf0-7a39-4a2e-9a6c-1f2d3c4b5a69"
OTHER = "11111111-7a39-4a2e-9a6c-1f2d3c4b5a69"
FILE = "/var/log/nova/nova-compute.log"
REQUEST = "[None req-d8f9ea74-3432-4321-97ab-6d05d2387854 62a6cb2c 57482f4b - - default default] "


def line(words: str, *, request: str = "", level: str = "ERROR", instance: str = OURS) -> str:
    """A line as oslo.log writes it."""
    return f"2026-11-30 11:48:51.076 6427 {level} nova.compute.manager {request}[instance: {instance}] {words}"


def answer(*lines: str) -> str:
    """What the host prints."""
    return "\n".join((f"=== {FILE}", *lines, "=== end", ""))


TRACEBACK = (
    line("Instance failed to spawn: OSError: [Errno 28] No space left on device", request=REQUEST),
    line("Traceback (most recent call last):"),
    line('  File "/usr/lib/python3/dist-packages/nova/compute/manager.py", line 2872, in _build_resources'),
    line("    yield resources"),
    line("    ^^^^^^^^^^^^^^^"),
    line("OSError: [Errno 28] No space left on device: '/var/lib/nova/instances/_base'"),
    line(""),
)


def test_the_exception_is_the_reason() -> None:
    """Not the line before its traceback, and not the traceback."""
    found = parse(answer(*TRACEBACK), OURS)

    assert found is not None
    assert found.text == "OSError: [Errno 28] No space left on device: '/var/lib/nova/instances/_base'"
    assert (found.source, found.date) == (FILE, "2026-11-30 11:48:51")


def test_what_came_after_the_exception_and_is_none_does_not_hide_it() -> None:
    """Nova goes on with words of its own, e.g. that it gives the network back."""
    after = line("Failed to deallocate networks", request=REQUEST)

    found = parse(answer(*TRACEBACK, after), OURS)

    assert found is not None
    assert "No space left" in found.text


def test_a_later_exception_is_the_reason() -> None:
    """The instance was tried again."""
    found = parse(answer(*TRACEBACK, line("libvirt.libvirtError: group 33 is not viable")), OURS)

    assert found is not None
    assert found.text == "libvirt.libvirtError: group 33 is not viable"


@pytest.mark.parametrize(
    "lines",
    [
        (),
        (line("Instance failed to spawn: OSError: x", instance=OTHER),),
        (line("Took 3.2 seconds to spawn", level="INFO"),),
        ("a line without a date that names " + OURS,),
    ],
)
def test_nothing_is_said_of_the_instance(lines: tuple[str, ...]) -> None:
    """Other instances, other levels and other lines are none of it."""
    assert parse(answer(*lines), OURS) is None


def test_no_log_is_no_reason() -> None:
    """A host that keeps it elsewhere says nothing."""
    assert parse("=== end\n", OURS) is None


@pytest.mark.parametrize("text", ["", "=== /var/log/nova/nova-compute.log\n", "something\n=== end\n"])
def test_an_answer_that_is_not_whole_is_refused(text: str) -> None:
    """It is no answer that nothing was found."""
    with pytest.raises(ParseError):
        parse(text, OURS)


def test_a_long_line_is_cut() -> None:
    """What a host prints is bounded."""
    found = parse(answer(line("ValueError: " + "x" * 5000)), OURS)

    assert found is not None
    assert len(found.text) == LIMIT_CHARS


def test_it_is_read_of_a_host(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The command runs in a shell, and a host without logs answers that there is none."""
    compute = load_deployer("packages-rdo").service("nova-compute")

    assert LINES > 0
    assert read(LocalHost("here"), compute, OURS) is None


def test_qemus_further_lines_belong_to_the_reason() -> None:
    """It warns first of what is harmless, and names what ended it last."""
    said = (
        line("libvirt.libvirtError: internal error: QEMU unexpectedly closed the monitor (vm='instance-00000007'): "),
        line("2026-11-30T11:48:50.9Z qemu-system-x86_64: warning: host doesn't support requested feature: vmx-ept"),
        line("2026-11-30T11:48:51.0Z qemu-system-x86_64: -device vfio-pci,host=0000:84:00.0: VFIO group is not viable"),
        line("Please ensure all devices within the iommu_group are bound to their vfio bus driver."),
        line("Failed to deallocate networks", request=REQUEST),
    )

    found = parse(answer(*said), OURS)

    assert found is not None
    assert "group is not viable Please ensure" in found.text
    assert "deallocate" not in found.text


def test_a_service_without_a_file_is_asked_where_it_prints(tmp_path: Path) -> None:
    """A container's engine, or the journal of a unit, as OpenStack-Ansible writes it."""
    engine = tmp_path / "podman"
    engine.write_text(f"#!/bin/sh\necho '{line('libvirt.libvirtError: group 33 is not viable')}' >&2\n")
    engine.chmod(0o755)
    service = replace(load_deployer("rhoso").service("nova-compute"), container_engine=str(engine))

    found = read(LocalHost("here"), service, OURS)

    assert found is not None
    assert found.text == "libvirt.libvirtError: group 33 is not viable"
    assert found.source.startswith(f"{engine} logs")
