"""A fault that is put into a healthy lab makes the right check fail, and no other layer's.

Provisions a lab of its own once (under a minute), so it is not part of `make test`: `make faults` runs it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from reports.records import Verdict, read_run

REPOSITORY = Path(__file__).resolve().parents[2]
RUN_LIMIT_S = 300


@dataclass(frozen=True)
class Lab:
    """A provisioned lab and the cloud file that describes it."""

    cloud_file: Path
    run_directory: Path
    environment: dict[str, str]

    def accept(self, *options: str) -> tuple[int, dict[tuple[str, str], Verdict]]:
        """Run the suites; exit code and verdict by check and place."""
        command = [
            sys.executable,
            "-m",
            "pytest",
            "suites/",
            "--cloud",
            str(self.cloud_file),
            "--run-dir",
            str(self.run_directory),
        ]
        done = subprocess.run(
            [*command, "-q", "-p", "no:cacheprovider", *options],
            cwd=REPOSITORY,
            env=self.environment,
            timeout=RUN_LIMIT_S,
            check=False,
            capture_output=True,
            text=True,
        )
        _, checks = read_run(self.run_directory / "records.jsonl")
        assert checks, done.stdout + done.stderr
        return done.returncode, {(check.id, check.place): check.verdict for check in checks}

    def command(self, *words: str) -> str:
        """`python -m lab …`"""
        done = subprocess.run(
            [sys.executable, "-m", "lab", *words],
            cwd=REPOSITORY,
            env=self.environment,
            timeout=RUN_LIMIT_S,
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout

    def on(self, host: str, command: str) -> None:
        """Run a command as root of a machine."""
        # a reboot cuts the connection: its exit code says nothing
        subprocess.run(
            [sys.executable, "-m", "lab", "ssh", host, f"sudo sh -c '{command}'"],
            cwd=REPOSITORY,
            env=self.environment,
            timeout=60,
            check=False,
            capture_output=True,
        )


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab that was provisioned and accepted."""
    home = tmp_path_factory.mktemp("lab")
    cache = REPOSITORY / ".lab" / "cache"
    if not (cache / "userland").exists():
        pytest.fail("the lab is not installed; run: make setup")
    (home / "cache").symlink_to(cache)
    cloud_file = home / "healthy.yaml"
    text = (REPOSITORY / "clouds" / "lab.yaml").read_text(encoding="utf-8")
    cloud_file.write_text(f"{text}\nruns_directory: {home / 'runs'}\n", encoding="utf-8")
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    environment.pop("GPU_ACCEPTANCE", None)
    made = Lab(cloud_file, home / "run", {**environment, "GPU_LAB_HOME": str(home)})
    try:
        code, verdicts = made.accept("--keep")
        assert code == 0
        assert set(verdicts.values()) == {Verdict.PASSED}
        yield made
    finally:
        made.command("destroy")


GRUB = "grub2-mkconfig -o /boot/grub2/grub.cfg"
NOVA_CONF = "/etc/nova/nova.conf"
FAULTS = {
    "kernel argument only in the running kernel": (
        "compute-0", 'sed -i "s/ intel_iommu=on//" /etc/default/grub', None,
        ("host.iommu.grub_defaults", "compute-0"), 'sed -i "s/iommu=pt/intel_iommu=on iommu=pt/" /etc/default/grub',
    ),
    "alias missing on one compute": (
        "compute-1", f'cp {NOVA_CONF} /root/nova.conf; sed -i "/a1/d" {NOVA_CONF}', "nova-compute-compute-1",
        ("control_plane.alias.compute", "compute-1"), f"cp /root/nova.conf {NOVA_CONF}",
    ),
    "PCI filter missing": (
        "controller-0", f'cp {NOVA_CONF} /root/nova.conf; sed -i "s/,PciPassthroughFilter//" {NOVA_CONF}', "nova-scheduler",
        ("control_plane.filters.pci", "controller-0"), f"cp /root/nova.conf {NOVA_CONF}",
    ),
    "whitelist with another product id": (
        "compute-0", f'cp {NOVA_CONF} /root/nova.conf; sed -i "/passthrough_whitelist/s/15f8/15f9/" {NOVA_CONF}', None,
        ("control_plane.device_spec.matches", "compute-0"), f"cp /root/nova.conf {NOVA_CONF}",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_the_right_check_fails(lab: Lab, fault: str):
    """One cause, one place: the check of that layer fails there, everything else stays as it was."""
    host, inject, service, expected, mend = FAULTS[fault]
    lab.on(host, inject)
    if service:
        lab.command("restart", service)

    code, verdicts = lab.accept("--reuse")
    lab.on(host, mend)

    assert code == 1
    failed = {key for key, verdict in verdicts.items() if verdict is Verdict.FAILED}
    allowed = {expected, ("host.iommu.unchanged_since_boot", host), ("host.iommu.boot_entry", host)}
    assert expected in failed
    assert failed <= allowed


def test_a_driver_that_was_never_built_is_found_in_the_guest(lab: Lab):
    """Without the module nvidia is not loaded: the instance's checks say so, those of the hosts stay green."""
    lab.command("ssh", "gpuacc-one-card", "modprobe", "-r", "nvidia_drm", "nvidia_modeset", "nvidia_uvm", "nvidia")

    code, verdicts = lab.accept("--reuse")

    assert code == 1
    assert verdicts["instance.driver.loaded", "one-card"] is Verdict.FAILED
    assert verdicts["instance.driver.loaded", "all-cards"] is Verdict.PASSED
    assert all(
        verdict is Verdict.PASSED
        for (check, _), verdict in verdicts.items()
        if check.startswith(("host.", "control_plane."))
    )
