"""Checks of the control plane in the layout of kolla-ansible: what is healthy there passes, what is wrong does not."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from kolla_host import BEFORE, KollaHost, kolla_host

from access.errors import Rejected
from cloud_file.cloud import Cloud
from cloud_file.loading import CLOUDS_DIRECTORY, load
from cloud_file.sections.hosts import DeclaredHost
from judging.configuration import Configuration
from probes import nova_process
from probes.openstack.nova_release import Versions
from provisioning.service_files import configuration, written_for
from suites.control_plane import test_options, test_scheduler, test_services

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root sees the files of other processes")
FILTERS = "[filter_scheduler]\nenabled_filters = ComputeFilter,{}\n"
API = "[DEFAULT]\nlog_file = /var/log/kolla/nova/nova-api.log\nheartbeat_in_pthread = true\n"
HOST = DeclaredHost(name="control-1", role="Controller")


@pytest.fixture
def cloud() -> Cloud:
    """No flavor or image of it asks for NUMA."""
    return load(CLOUDS_DIRECTORY / "examples" / "existing.yaml")


@pytest.fixture
def host(tmp_path: Path) -> Iterator[KollaHost]:
    """API and scheduler run, each with a file of its own; only the scheduler's has filters."""
    with kolla_host(tmp_path) as made:
        made.has("nova-api", API)
        made.has("nova-scheduler", FILTERS.format("PciPassthroughFilter"))
        for service in ("nova-api", "nova-scheduler"):
            made.start(service)
        yield made


def _found(host: KollaHost, service: str) -> Configuration:
    return configuration(host, host.deployer().service(service))


def _in_effect(host: KollaHost) -> None:
    found = _found(host, "nova-api"), _found(host, "nova-scheduler")
    test_services.test_the_control_plane_runs_with_its_configuration(host, HOST, host.deployer(), *found)


def _filters(host: KollaHost, cloud: Cloud) -> None:
    scheduler = _found(host, "nova-scheduler")
    test_scheduler.test_the_scheduler_filters_by_pci_devices_and_numa(host, HOST, scheduler, host.deployer(), cloud)


def test_services_with_files_of_their_own_are_healthy(host: KollaHost, cloud: Cloud) -> None:
    """nova-api and nova-scheduler never have the same nova.conf, and the filters stand in the scheduler's."""
    _in_effect(host)
    _filters(host, cloud)

    assert _found(host, "nova-scheduler").path == str(host.written("nova-scheduler"))


def test_filters_in_the_apis_file_alone_are_none(host: KollaHost, cloud: Cloud) -> None:
    """The scheduler does not read that file; the fix names the operator's."""
    host.has("nova-api", API + FILTERS.format("PciPassthroughFilter"))
    host.has("nova-scheduler", "[DEFAULT]\ndebug = false\n")

    with pytest.raises(Rejected, match="lacks PciPassthroughFilter") as error:
        _filters(host, cloud)
    assert error.value.cause == "filter-missing"
    assert "/etc/kolla/config/nova/nova-scheduler.conf" in str(error.value.remedy)
    assert "kolla-ansible reconfigure" in str(error.value.remedy)


def test_a_file_that_was_changed_since_the_start_is_not_in_effect(host: KollaHost) -> None:
    """The container still has its copy: restart it."""
    os.utime(host.written("nova-scheduler"))
    os.utime(host.folder / "pids" / "nova_scheduler", (0, 0))

    with pytest.raises(Rejected) as error:
        _in_effect(host)
    assert (error.value.cause, error.value.file) == ("service-not-restarted", str(host.written("nova-scheduler")))
    assert "docker restart nova_scheduler" in str(error.value.remedy)


def test_a_copy_that_differs_is_another_file(host: KollaHost) -> None:
    """Whoever edited the file inside the container loses it with the next start."""
    host.has("nova-api", API, copied=API + "[pci]\nalias = {}\n")

    with pytest.raises(Rejected) as error:
        _in_effect(host)
    assert error.value.cause == "another-file-in-effect"


def test_a_container_that_is_not_there_does_not_run(host: KollaHost) -> None:
    """Neither docker nor /proc knows it."""
    host.stop()
    for pid in (host.folder / "pids").iterdir():
        pid.unlink()

    with pytest.raises(Rejected) as error:
        _in_effect(host)
    assert error.value.cause == "service-not-running"


RECORD = "2026-01-30 08:13:38.548 7 {} nova [-] {}\n"
REFUSED = RECORD.format("CRITICAL", "Unhandled error: nova.exception.PciInvalidAlias: Invalid PCI alias definition: a1")
STARTING = RECORD.format("INFO", "Starting compute node (version 34.0.0)")


@pytest.mark.parametrize(("waits", "printed"), [(False, REFUSED + STARTING), (True, REFUSED)])
def test_a_service_that_is_started_again_and_again_does_not_run(host: KollaHost, waits: bool, printed: str) -> None:
    """Whenever it is looked at, starting or waiting: it fails for the reason that its log has, and never gives up."""
    host.was_restarted(3, printed, waits=waits)

    with pytest.raises(Rejected, match="Invalid PCI alias definition") as error:
        _in_effect(host)
    assert error.value.cause == "service-ended-at-its-start"


def test_a_service_that_crashed_long_ago_runs(host: KollaHost) -> None:
    """What it counts since it was started by hand is history."""
    host.was_restarted(3, REFUSED + STARTING)
    for service in ("nova_api", "nova_scheduler"):
        os.utime(host.folder / "pids" / service, (BEFORE + 60, BEFORE + 60))

    _in_effect(host)


def test_restarts_without_an_error_in_the_log_are_no_failure(host: KollaHost) -> None:
    """An operator's own restarts by the engine's policy leave none."""
    host.was_restarted(3, STARTING)

    _in_effect(host)


def test_a_service_that_ends_while_it_is_looked_at_is_one_that_does_not_run(host: KollaHost) -> None:
    """Between finding a process and reading its files it may be gone; that is no broken measurement."""
    found = _found(host, "nova-api").process
    assert found is not None
    host.stop()

    with pytest.raises(nova_process.ProcessGone, match="ended while its files were read"):
        nova_process.read(host, "nova-api", found)


def test_what_a_service_that_just_ended_reads_is_what_is_written_for_it(
    host: KollaHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The files on the host are judged all the same."""
    found = _found(host, "nova-api").process
    host.stop()
    monkeypatch.setattr(nova_process, "reach", lambda *_, **__: (found, ""))

    after = _found(host, "nova-api")
    assert after.process is None
    assert [file.path for file in after.inside] == [str(host.written("nova-api"))]


def test_a_service_under_another_name_runs_all_the_same(host: KollaHost) -> None:
    """What the deployer's file calls a unit is no ground to reject a cloud whose service runs."""
    (host.folder / "pids" / "nova_api").unlink()

    _in_effect(host)


def test_a_reload_of_the_web_server_starts_its_workers_anew(host: KollaHost) -> None:
    """apache2 runs since long, nova-api's processes since its last reload, after the change of the file."""
    os.utime(host.written("nova-api"), (BEFORE + 60, BEFORE + 60))
    os.utime(host.folder / "pids" / "nova_api", (0, 0))
    found = _found(host, "nova-api")
    assert found.process is not None
    worker = replace(found.process, arguments=("(wsgi:nova-api)    -k", "start"))
    scheduler = _found(host, "nova-scheduler")

    test_services.test_the_control_plane_runs_with_its_configuration(
        host, HOST, host.deployer(), replace(found, process=worker), scheduler
    )
    with pytest.raises(Rejected, match="was changed at"):
        _in_effect(host)


def test_a_service_in_a_container_without_copies_is_not_compared_with_the_host(host: KollaHost) -> None:
    """OpenStack-Ansible's control plane runs in LXC on hosts that may have a nova.conf of their own: nova-compute's."""
    deployed = replace(host.deployer().service("nova-api"), container_engine=None)
    found = configuration(host, deployed)
    assert found.process is not None
    inside_lxc = replace(found, process=replace(found.process, sees_host=False))

    assert written_for(host, deployed, found)
    assert not written_for(host, deployed, inside_lxc)


@pytest.mark.parametrize("name", ["packages-rdo", "packages-debian", "openstack-ansible", "openstack-helm", "charms"])
def test_units_that_systemd_does_not_know_are_no_ground_to_reject(name: str, host: KollaHost) -> None:
    """systemd calls a unit that it does not know inactive; the service's process tells that it runs."""
    deployer = host.deployer(name)
    found = [configuration(host, deployer.service(service)) for service in ("nova-api", "nova-scheduler")]

    test_services.test_the_control_plane_runs_with_its_configuration(host, HOST, deployer, *found)
    assert [item.process is not None for item in found] == [True, True]


def test_a_file_of_the_command_line_that_is_gone_is_told(host: KollaHost) -> None:
    """The next start would fail."""
    host.inside("nova-api").unlink()

    with pytest.raises(Rejected) as error:
        _in_effect(host)
    assert error.value.cause == "configuration-file-gone"


def test_numa_filter_is_wanted_where_a_flavor_or_the_image_asks_for_it(host: KollaHost, cloud: Cloud) -> None:
    """Without a NUMA topology NUMATopologyFilter passes every host."""
    flavor = cloud.flavors[0]
    for key in ("hw:numa_nodes", "hw:cpu_policy", "hw:mem_page_size", "resources:PCPU", "hw:pci_numa_affinity_policy"):
        pinned = flavor.model_copy(update={"extra_specs": {key: "1"}})
        with pytest.raises(Rejected, match="lacks NUMATopologyFilter"):
            _filters(host, cloud.model_copy(update={"flavors": (pinned,)}))
    assert cloud.image is not None
    image = cloud.image.model_copy(update={"properties": {"hw_numa_nodes": "2"}})
    with pytest.raises(Rejected, match="lacks NUMATopologyFilter"):
        _filters(host, cloud.model_copy(update={"image": image}))
    other = flavor.model_copy(update={"extra_specs": {"hw:watchdog_action": "none", "hw_rng:allowed": "true"}})
    _filters(host, cloud.model_copy(update={"flavors": (other,)}))


def test_an_empty_configuration_names_the_operators_command(host: KollaHost) -> None:
    """Not TripleO's."""
    host.has("nova-api", "\n")
    with pytest.raises(Rejected) as error:
        found = _found(host, "nova-api")
        test_options.test_nova_api_can_read_its_configuration(host, HOST, found, Versions(34, 34), host.deployer())

    assert error.value.cause == "empty"
    assert "kolla-ansible reconfigure" in str(error.value.remedy)
