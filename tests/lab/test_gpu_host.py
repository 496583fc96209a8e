"""kind: host: the acceptance of one machine with GPUs and no cloud, over SSH, as a user runs it."""

from __future__ import annotations

import contextlib
import json
import re
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from lab_machines import Machines

from access.endpoint import SshEndpoint
from access.ssh import RemoteHost
from judging import copies as copy_judging
from judging.measuring import are_steady, measured_cards
from judging.records import Verdict
from lab.hosts.layout import MachineDir
from probes import cards_under_load, copy_bandwidth, copy_runs
from probes.references import gpu_models
from probes.references.bands import band
from reports.run import Run, read
from tests.forked_pytest import environment_of_a_user, run_pytest

PACKAGES = {"installed": {"kernel": ["3.10.0-693.el7"]}, "repos": ["rhel-7-server-rpms"], "registered": True}
NVIDIA_REPOSITORY = (
    "rpm -i https://developer.download.nvidia.com/compute/cuda/repos/rhel7/x86_64/cuda-repo-rhel7-9.0.176-1.x86_64.rpm"
)
INSTALL = "yum install -y kernel-devel-$(uname -r) gcc make cuda-drivers-384.183 cuda-toolkit-9-0 cuda-samples-9-0"
HOME = "/home/heat-admin"
BUILD = (
    f"/usr/local/cuda-9.0/bin/cuda-install-samples-9.0.sh {HOME} && make -j 2 -C {HOME}/NVIDIA_CUDA-9.0_Samples && "
    f"chown -R heat-admin {HOME}"
)
EPEL = "yum install -y https://dl.fedoraproject.org/pub/epel/epel-release-latest-7.noarch.rpm"
RELOAD = (
    "for module in nvidia_uvm nvidia_drm nvidia_modeset nvidia; do rmmod $module; done; "
    "rm -rf /run/lab/kernel/driver/nvidia; echo '[    0.000000] Linux version 3.10.0' > /run/lab/kernel/kernel.log; "
    "modprobe nvidia"
)
"""Let the driver take the cards again, with an empty log: as after a boot."""
HEALTHY = ("instance.driver.", "cuda.", "instance.gpu.exact", "instance.gpu.health")


class GpuHost:
    """A running machine with two cards, driver, CUDA and samples; and what the cloud file needs to reach it."""

    def __init__(self, machines: Machines, name: str, folder: Path) -> None:
        self.machines, self.name, self.folder = machines, name, folder
        self.file = MachineDir(machines.paths, name).machine_file
        state = machines.client.state(name)
        self.address = state["addresses"][0]
        self.known_hosts = folder / "known_hosts"
        self.known_hosts.write_text("".join(f"[{self.address}]:2222 {key}\n" for key in state["host_keys"]))

    def cloud(self, name: str, **more: Any) -> Path:
        """A cloud file of this machine."""
        access = {"user": "heat-admin", "port": 2222, "known_hosts": str(self.known_hosts)}
        access["key_file"] = str(self.machines.paths.secrets / "id_ed25519")
        host = {"name": self.name, "address": self.address, "gpus": [{"model": "P100-PCIE-16GB", "count": 2}]}
        content = {"name": name, "kind": "host", "access": access, "hosts": [host], **more}
        file = self.folder / f"{name}.yaml"
        file.write_text(yaml.safe_dump({**content, "runs_directory": str(self.folder / "runs")}))
        return file

    def accept(self, cloud: Path) -> tuple[int, str, Run]:
        """Exit code, output and records of `pytest suites/ --cloud FILE`."""
        directory = self.folder / cloud.stem
        words = ("suites/", "--cloud", str(cloud), "--run-dir", str(directory), "-q", "-p", "no:cacheprovider")
        done = run_pytest(*words, environment=environment_of_a_user())
        assert (directory / "records.jsonl").exists(), done.stdout
        return done.returncode, done.stdout, read(directory)

    def sh(self, command: str) -> str:
        """Output of a command of root, not over SSH."""
        return self.machines.sh(self.name, command)

    def connect(self) -> RemoteHost:
        """The machine over SSH, as the suites reach it."""
        key = self.machines.paths.secrets / "id_ed25519"
        endpoint = SshEndpoint(
            address=self.address, port=2222, user="heat-admin", key_file=key, known_hosts=self.known_hosts
        )
        return RemoteHost(self.name, endpoint)

    @contextlib.contextmanager
    def card(self, number: int, **changes: Any) -> Iterator[None]:
        """Let a card be in another physical state. In place: the file is mounted inside."""
        before = self.file.read_text()
        data = json.loads(before)
        data["gpus"][number].update(changes)
        self.file.write_text(json.dumps(data))
        try:
            yield
        finally:
            self.file.write_text(before)


@pytest.fixture(scope="module")
def gpu_host(machines: Machines, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GpuHost]:
    """The machine, in good order."""
    name = machines.define("my-gpu-host")
    machines.client.boot(name)
    database = MachineDir(machines.paths, name).path("/var/lib/lab/packages.json")
    database.parent.mkdir(parents=True, exist_ok=True)
    database.write_text(json.dumps(PACKAGES))
    machines.sh(name, f"{NVIDIA_REPOSITORY} && {INSTALL} && modprobe nvidia && {BUILD}")
    yield GpuHost(machines, name, tmp_path_factory.mktemp("gpu-host"))
    machines.client.destroy(name)


@pytest.fixture(scope="module")
def healthy(gpu_host: GpuHost) -> tuple[int, str, Run]:
    """The acceptance of the machine in good order."""
    return gpu_host.accept(gpu_host.cloud("healthy"))


@pytest.fixture(scope="module")
def slow(gpu_host: GpuHost, healthy: tuple[int, str, Run]) -> tuple[int, str, Run]:
    """The acceptance while the first card has half of its lanes; its cloud file names the healthy run as bare metal."""
    with gpu_host.card(0, link={"generation": 3, "width": 8}):
        return gpu_host.accept(gpu_host.cloud("slow", bare_metal=str(gpu_host.folder / "healthy")))


def test_a_machine_in_good_order_is_accepted(healthy: tuple[int, str, Run]) -> None:
    """A healthy machine is accepted, with the checks of driver and CUDA alone; others are left out, not skipped."""
    code, output, run = healthy

    assert code == 0, output
    assert all(check.id.startswith(HEALTHY) for check in run.checks)
    assert {"instance.driver.loaded", "cuda.device_query", "cuda.bandwidth", "cuda.p2p"} <= {c.id for c in run.checks}
    assert re.search(r"\d+ deselected", output)
    assert "skipped" not in output


def test_a_card_with_half_of_its_lanes_is_rejected_with_the_cause(slow: tuple[int, str, Run]) -> None:
    """A card on half of its lanes ends in a rejection that names the link as the cause."""
    code, output, run = slow
    failed = {check.id: check for check in run.checks if check.verdict is Verdict.FAILED}

    assert code == 1, output
    assert failed["cuda.bandwidth"].cause == "link-trained-narrow"
    assert "generation 3 x8" in failed["cuda.bandwidth"].found
    assert "device 0" in failed["cuda.bandwidth"].found
    assert "device 1" not in failed["cuda.bandwidth"].found
    assert "link-trained-narrow" in output


def test_measurements_name_what_the_same_model_reaches_on_bare_metal(
    healthy: tuple[int, str, Run], slow: tuple[int, str, Run]
) -> None:
    """Each measurement carries what the same model reaches on bare metal."""
    bare, measured = ([item for check in run.checks for item in check.measurements] for _, _, run in (healthy, slow))
    expected = statistics.median(item.value for item in bare if item.metric == "bandwidth.h2d")
    h2d = {item.device: item for item in measured if item.metric == "bandwidth.h2d"}

    assert all(item.bare_metal is None for item in bare)
    assert {item.bare_metal for item in h2d.values()} == {expected}
    assert h2d["0"].value / expected == pytest.approx(0.5, abs=0.1)
    assert h2d["1"].value / expected == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize(
    ("state", "causes"),
    [
        ({"throttle": "thermal"}, {"throttling"}),
        ({"outlier": 0.6}, set()),
        ({"idle_generation": 1}, set()),
        ({"link": {"generation": 2, "width": 16}}, {"link-low-generation-under-load"}),
        ({"link_flaps": 0.75}, {"unsteady-copies"}),
    ],
    ids=["throttled", "one noisy sample", "idle link at generation 1", "generation 2", "a link that flaps"],
)
def test_causes_by_what_the_tools_show(gpu_host: GpuHost, state: dict[str, Any], causes: set[str]) -> None:
    """Each state of a card leads to the causes that belong to it."""
    p100 = gpu_models()["P100-PCIE-16GB"]
    with gpu_host.card(0, **state), contextlib.closing(gpu_host.connect()) as host:
        cards = measured_cards(copy_runs.read(host, lambda runs: are_steady(runs, [p100, p100])), [p100, p100])
    found = copy_judging.findings(cards, lambda model, metric: band(model, metric, virtualised=False))

    assert {finding.cause for finding in found} == causes
    assert all("device 0" in finding.what for finding in found)


@pytest.mark.parametrize(
    ("state", "cause"), [({"init_fails": True}, "card-does-not-initialize"), ({"launch_fails": "ecc"}, "cuda-39")]
)
def test_what_ails_one_of_two_cards_is_one_cause(gpu_host: GpuHost, state: dict[str, Any], cause: str) -> None:
    """Whatever fails after it follows from it."""
    with gpu_host.card(0, **state):
        gpu_host.sh(RELOAD)
        code, output, run = gpu_host.accept(gpu_host.cloud(cause))
    gpu_host.sh(RELOAD)

    assert code == 1, output
    assert cause in {check.cause for check in run.checks}
    assert output.count("REJECTED  ") == 2, output  # the cause, and the last line


def test_nvbandwidth_gives_the_same_metrics(gpu_host: GpuHost) -> None:
    """Without bandwidthTest, nvbandwidth gives the same metrics."""
    gpu_host.sh(f"{EPEL} && yum install -y nvbandwidth")
    with contextlib.closing(gpu_host.connect()) as host:
        by_bandwidth_test = copy_bandwidth.read(host, 2)
        gpu_host.sh(f"rm -r {HOME}/NVIDIA_CUDA-9.0_Samples/1_Utilities/bandwidthTest")
        by_nvbandwidth = copy_bandwidth.read(host, 2)
        loaded = cards_under_load.read(host)

    assert (by_bandwidth_test.tool, by_nvbandwidth.tool) == ("bandwidthTest", "nvbandwidth")
    for old, new in zip(by_bandwidth_test.gb_per_s, by_nvbandwidth.gb_per_s, strict=True):
        assert new == pytest.approx(old, rel=0.15)
    assert [(card.link_generation, card.link_width) for card in loaded.values()] == [(3, 16), (3, 16)]
