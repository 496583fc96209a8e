"""States of an instance, Nova's words, and what ends a service, each with its own advice."""

from __future__ import annotations

import pytest

from judging.causes import causes, fix_of
from judging.image_and_flavor import contradictions, has_numa_topology, too_small
from judging.instance_states import CAUSES, cause_of, remedy_of
from judging.iommu_arguments import why_off
from judging.last_words import ENDED, cause_of_end, told
from probes.memory_locking import MemoryLocking
from probes.memory_locking import parse as parse_locking
from probes.nova_log import LastWords
from probes.numa_nodes import NumaNode
from probes.numa_nodes import parse as parse_nodes
from probes.openstack.images import ImageFacts
from probes.openstack.nova import FlavorFacts


@pytest.mark.parametrize("status", sorted(CAUSES))
def test_each_status_has_words_of_its_own(status: str) -> None:
    """Its cause is known, and its fix speaks of no scheduler."""
    text = fix_of(cause_of(status, ""), instance="vm", remedy="look")

    assert "scheduler" not in text


@pytest.mark.parametrize(
    ("status", "fault", "cause"),
    [
        ("ERROR", "No valid host was found. There are not enough hosts available.", "no-valid-host"),
        ("ERROR", "Exceeded maximum number of retries. Exhausted all hosts", "no-valid-host"),
        ("ERROR", "internal error: qemu unexpectedly closed the monitor", "instance-in-error"),
        ("ERROR", "", "instance-in-error"),
        ("shutoff", "", "instance-stopped"),
        ("SOMETHING_NEW", "", "instance-not-active"),
    ],
)
def test_the_fault_counts_before_the_status(status: str, fault: str, cause: str) -> None:
    """Only a scheduler's fault gets a scheduler's advice."""
    assert cause_of(status, fault) == cause


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        ("PCI alias a7 is not defined", "set [pci] alias"),
        ("Forbidden: Quota exceeded for cores: Requested 28, but already used 0 of 20 cores (HTTP 403)", "quota"),
        ("Flavor's disk is too small for requested image. Flavor disk is 42949672960 bytes", "root disk"),
        ("Policy doesn't allow os_compute_api:servers:create:forced_host to be performed. (HTTP 403)", "lacks a right"),
        ("vfio 0000:04:00.0: group 33 is not viable", "IOMMU group"),
        ("No valid host was found. ", "lines above"),
        ("cannot limit locked memory of process 4711 to 17179869184: Operation not permitted", "lock"),
        ("Build of instance 6f aborted: [Errno 28] No space left on device: '/var/lib/nova/instances'", "df -h"),
        ("qemu-img: error while writing at byte 0: No space left on device; Exceeded maximum number of retries", "df"),
        ("Unable to establish connection: [SSL: CERTIFICATE_VERIFY_FAILED] unable to get local issuer", "cafile"),
        ("Failed to resolve 'glance.internal' ([Errno -3] Temporary failure in name resolution)", "resolv.conf"),
        ("[Errno -2] Name or service not known. No valid host was found", "resolv.conf"),
        ("Image 3f2a could not be found.", "upload"),
        ("Image 3f2a is unacceptable: Image is not raw format", "upload"),
        ("Binding failed for port 1e, please check neutron logs", "neutron-server.log"),
    ],
)
def test_novas_words_are_translated(words: str, advice: str) -> None:
    """The most telling pattern counts."""
    assert advice in remedy_of(words)


VFIO = "QEMU unexpectedly closed the monitor (vm='instance-00000007'): 2026-05-15T13:49:50.7Z qemu-system-x86_64: "


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        ("unsupported configuration: host doesn't support passthrough of host PCI devices", "VT-d or AMD-Vi"),
        ("unsupported configuration: VFIO PCI device assignment is not supported by this version of qemu", "QEMU"),
        (f"{VFIO}-accel kvm: failed to initialize kvm: Permission denied", "/dev/kvm"),
        ("Domain requires KVM, but it is not available. Check that virtualization is enabled", "/dev/kvm"),
        (f"{VFIO}vfio 0000:3b:00.0: no iommu_group found: No such file or directory", "no IOMMU group"),
        (f"{VFIO}vfio 0000:04:00.1: Failed to set group container: Operation not permitted", "interrupt remapping"),
        (
            f"{VFIO}failed to setup container for group 45: Failed to set iommu for container: Operation not permitted",
            "RMRR",
        ),
        (f"{VFIO}vfio 0000:01:00.0: failed to open /dev/vfio/1: Device or resource busy", "another domain"),
        (f"{VFIO}vfio 0000:3b:00.0: failed to open /dev/vfio/45: No such file or directory", "not bound to vfio-pci"),
        (f"{VFIO}vfio 0000:3b:00.0: failed to open /dev/vfio/45: Permission denied", "restorecon"),
        (f"{VFIO}vfio 0000:3b:00.0: error getting device from group 45: Invalid argument", "lspci -nnk"),
        (f"{VFIO}warning: depends on vmx. vfio 0000:07:00.0: group 0 is not viable", "IOMMU group go to vfio-pci"),
        (f"{VFIO}VFIO_MAP_DMA failed: Cannot allocate memory; failed to setup container", "lock too little memory"),
        (f"{VFIO}cannot set up guest memory 'pc.ram': Cannot allocate memory", "not that much memory"),
        (f"{VFIO}Address space limit 0xffffffffff < 0x83fffffffff phys-bits too low (40)", "hw:maxphysaddr_mode"),
        (f"{VFIO}vfio: Unable to power on device, stuck in D3", "power-cycle"),
        ("internal error: Unknown PCI header type '127' for device '0000:84:00.0'", "power-cycle"),
        ("Unable to reset PCI device 0000:84:00.0: no FLR, PM reset or bus reset available", "cannot be reset"),
        (
            "internal error: Active 0000:84:00.0 devices on bus with 0000:84:00.1, not doing bus reset",
            "behind its bridge",
        ),
        (
            "Failed to add driver 'vfio-pci' to driver_override interface of PCI device '0000:84:00.0'",
            "modprobe vfio-pci",
        ),
        ("Failed to load PCI driver module vfio-pci: administratively prohibited", "modprobe vfio-pci"),
        ("Device 0000:84:00.0 not found: could not access /sys/bus/pci/devices/0000:84:00.0/config", "lspci -D"),
        ("Requested operation is not valid: PCI device 0000:84:00.0 is not assignable", "ACS"),
        ("Requested operation is not valid: PCI device 0000:84:00.0 is in use by driver QEMU, domain x", "dumpxml"),
        ("unsupported configuration: Non-endpoint PCI devices cannot be assigned to guests", "bridge"),
        ("Unmanaged PCI device 0000:84:00.0 must be manually detached from the host", "managed=no"),
        ("internal error: No more available PCI slots", "num_pcie_ports"),
        (
            "a PCIe slot is needed to connect a PCI controller model='pcie-root-port', but none is available",
            "num_pcie_ports",
        ),
        ("the CPU is incompatible with host CPU: Host CPU does not provide required features: avx512f", "cpu_models"),
        ("CPU mode 'host-model' for aarch64 kvm domain on aarch64 host is not supported by hypervisor", "cpu_mode"),
        ("Timed out during operation: cannot acquire state change lock (held by monitor=remoteDispatch)", "hangs"),
        ("internal error: cannot load AppArmor profile 'libvirt-12'", "apparmor"),
        ("Unable to find 'efi' firmware that is compatible with the current configuration", "UEFI firmware"),
        ("unsupported machine type 'pc-q35-rhel9.6.0'", "hw_machine_type"),
        ('Failed to get "write" lock. Is another process using the image?', "another QEMU"),
        ("Failed to connect socket to '/var/run/libvirt/virtqemud-sock': No such file or directory", "virtqemud"),
        ("Cannot access storage file '/var/lib/nova/instances/x/disk': Permission denied", "instances_path"),
        ("operation failed: domain 'instance-00000007' already exists with uuid 12", "virsh undefine"),
        ("nova.exception.FailedToDropPrivileges: privsep helper command exited non-zero", "rootwrap"),
        (
            "Requested instance NUMA topology together with requested PCI devices cannot fit the given host",
            "numa_policy",
        ),
        ("Requested instance NUMA topology cannot fit the given host NUMA topology", "lscpu"),
        ("PCI device request [InstancePCIRequest(alias_name='a1')] failed", "pci_devices"),
        ("PCI device 3:0000:84:00.0 is allocated instead of available", "pci_devices"),
        ("Host 'compute-7' is not mapped to any cell", "discover_hosts"),
        ("Unable to create allocation for 'CUSTOM_PCI_10DE_2331' on resource provider", "placement audit"),
        ("Virtual Interface creation failed", "vif_plugging_timeout"),
        ("No more IP addresses available on network 3f", "free address"),
        ("keystoneauth1.exceptions.http.ServiceUnavailable: Service Unavailable (HTTP 503)", "does not answer"),
        ("libvirt.libvirtError: internal error: QEMU unexpectedly closed the monitor (vm='x'): ", "INSTANCE.log"),
        ("libvirt.libvirtError: words that nobody knows", "libvirt's"),
    ],
)
def test_words_of_the_hypervisor_are_translated(words: str, advice: str) -> None:
    """As libvirt and QEMU wrote them where cards could not be given; the reason counts, not who was told of it."""
    assert advice in remedy_of(words)
    assert remedy_of(f"Exceeded maximum number of retries. {words}") == remedy_of(words)


def test_unknown_words_get_no_invented_advice() -> None:
    """Whoever asks has words of its own for that."""
    assert remedy_of("the moon is in the wrong phase") == ""


@pytest.mark.parametrize(
    ("text", "wording"),
    [
        ("nova.exception.PciInvalidAlias: Invalid PCI alias definition: NUMA policy mismatch", "alias"),
        ("nova.exception.ReshapeFailed: Resource provider inventory and allocation data migration failed", "reshape"),
        ("nova.exception.PciConfigInvalidSpec: Invalid [pci]device_spec config: property", "device_spec"),
        ("nova.exception.PlacementPciDependentDeviceException: Configuring both", "device_spec"),
        ("Unable to load the virtualization driver: ImportError", "driver"),
        ("oslo_config.cfg.ConfigFileValueError: Value for option workers is not valid", "option"),
        ("oslo_db.exception.DBConnectionError: (pymysql.err.OperationalError)", "database"),
        ("oslo_messaging.exceptions.MessagingTimeout: Timed out", "messaging"),
        ("PermissionError: [Errno 13] Permission denied: '/var/lib/nova/compute_id'", "name"),
        ("OSError: [Errno 28] No space left on device: '/var/log/nova/nova-compute.log'", "disk"),
        ("sqlalchemy.exc.OperationalError: (pymysql.err.OperationalError) [Errno 28] No space left on device", "disk"),
        ("keystoneauth1.exceptions.connection.SSLFailure: SSL: CERTIFICATE_VERIFY_FAILED", "certificate"),
        ("DBConnectionError: Can't connect to MySQL server on 'db' ([Errno -2] Name or service not known)", "resolver"),
        ("keystoneauth1 ConnectFailure: Failed to resolve 'keystone.internal' ([Errno -3] Temporary", "resolver"),
        ("nova.exception.TooOldComputeService: Current Nova version does not support computes older than", "too_old"),
        ("nova.exception.InternalError: Nova requires libvirt version 8.0.0 or greater.", "too_old"),
        ("OSError: [Errno 98] Address already in use", "port"),
        ("oslo_config.cfg.ConfigFilesPermissionDeniedError: Failed to open some config files: nova.conf", "files"),
        ("(pymysql.err.OperationalError) (1045, \"Access denied for user 'nova'@'controller'\")", "database_login"),
        ("sqlalchemy.exc.OperationalError: (1049, \"Unknown database 'nova_cell0'\")", "database"),
        ("nova.exception.DBNotAllowed: nova-compute attempted direct database access", "no_database_here"),
        ("nova.exception.InvalidCPUInfo: Unacceptable CPU info: Configured CPU model: Icelake-Server", "processor"),
        ("RuntimeError: Unable to get host UUID: /etc/machine-id is empty", "machine_id"),
        ("ModuleNotFoundError: No module named 'libvirt'", "packages"),
        ("nova.exception.CellMappingNotFound: Cell 4711 has no mapping.", "cells"),
        ("MemoryError", "memory"),
        ("nova.exception.ProviderConfigException: An error occurred while processing a provider config", "option"),
        ("ZeroDivisionError: division by zero", ""),
    ],
)
def test_the_last_words_of_a_service_name_what_to_correct(text: str, wording: str) -> None:
    """Each wording exists in the catalogue of causes."""
    cause = cause_of_end(LastWords("/var/log/nova/nova-compute.log", "2026-01-01 00:00:00", text))

    assert cause == (f"{ENDED}/{wording}" if wording else ENDED)
    assert fix_of(cause)


def test_every_wording_of_an_end_is_used() -> None:
    """A wording that no pattern names would never be read."""
    from judging.last_words import _table

    assert set(causes()[ENDED].fixes) == {fix for _, fix in _table()}


def test_last_words_are_told_with_their_place() -> None:
    """So that people find the rest."""
    words = LastWords("/var/log/nova/nova-compute.log", "2026-01-01 00:00:00", "X: y")

    assert told(words) == "its log ends with: X: y (/var/log/nova/nova-compute.log of 2026-01-01 00:00:00)"


@pytest.mark.parametrize(
    ("arguments", "vendor", "cause"),
    [
        ("quiet amd_iommu=on", "intel", "kernel-argument-of-the-other-vendor"),
        ("quiet intel_iommu=on iommu=off", "intel", "kernel-argument-turns-the-iommu-off"),
        ("intel_iommu=on intel_iommu=off", "intel", "kernel-argument-turns-the-iommu-off"),
        ("amd_iommu=off", "amd", "kernel-argument-turns-the-iommu-off"),
        ("intel_iomu=on", "intel", "kernel-argument-misspelt"),
        ("intel_iommu=1", "intel", "kernel-argument-misspelt"),
        ("iommu=pt quiet", "intel", "kernel-argument-missing"),
        ("quiet", "intel", "kernel-argument-missing"),
    ],
)
def test_arguments_are_judged_by_what_stands_there(arguments: str, vendor: str, cause: str) -> None:
    """Not by what was expected to be missing."""
    assert why_off(arguments.split(), vendor)[0] == cause


FLAVOR = FlavorFacts("m1", 8, 16384, 40, False, {})
IMAGE = ImageFacts("rhel", 0, 0, {})


@pytest.mark.parametrize(
    ("specs", "properties", "count"),
    [
        ({}, {"hw_pci_numa_affinity_policy": "required"}, 0),
        ({"hw:pci_numa_affinity_policy": "required"}, {"hw_pci_numa_affinity_policy": "required"}, 0),
        ({"hw:pci_numa_affinity_policy": "required"}, {"hw_pci_numa_affinity_policy": "preferred"}, 1),
        ({"hw:numa_nodes": "1"}, {"hw_numa_nodes": "1"}, 1),
        ({"hw:cpu_policy": "shared"}, {"hw_cpu_policy": "dedicated"}, 1),
        ({"hw:cpu_policy": "dedicated"}, {"hw_cpu_policy": "shared"}, 0),
        ({"hw:cpu_thread_policy": "isolate"}, {"hw_cpu_thread_policy": "prefer"}, 1),
        ({}, {"hw_mem_page_size": "1GB"}, 1),
        ({"hw:mem_page_size": "any"}, {"hw_mem_page_size": "1GB"}, 0),
        ({"hw:mem_page_size": "small"}, {"hw_mem_page_size": "1GB"}, 1),
    ],
)
def test_contradictions_are_those_that_nova_refuses(
    specs: dict[str, str], properties: dict[str, str], count: int
) -> None:
    """Of the rules of nova/virt/hardware.py."""
    flavor = FlavorFacts("m1", 8, 16384, 40, False, specs)

    assert len(contradictions(flavor, ImageFacts("rhel", 0, 0, properties))) == count


def test_needs_of_an_image_are_compared_with_the_flavor() -> None:
    """A flavor without root disk boots from a volume: min_disk is the volume's then."""
    assert too_small(FLAVOR, IMAGE) == []
    assert len(too_small(FLAVOR, ImageFacts("rhel", 41, 16385, {}))) == 2
    assert too_small(FlavorFacts("m1", 8, 16384, 0, False, {}), ImageFacts("rhel", 41, 0, {})) == []


def test_an_instance_without_numa_nodes_has_no_policy() -> None:
    """Huge pages and pinned processors give it nodes, too."""
    assert not has_numa_topology({"hw:pci_numa_affinity_policy": "required"}, {})
    assert has_numa_topology({"hw:mem_page_size": "large"}, {})
    assert has_numa_topology({}, {"hw_cpu_policy": "dedicated"})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("end\n", None),
        (
            "daemon libvirtd\nMax locked memory         65536                67108864             bytes     \n"
            "CapEff:\t000001fffeffffff\nend\n",
            MemoryLocking("libvirtd", 67108864, False),
        ),
        (
            "daemon virtqemud\nMax locked memory         unlimited            unlimited            bytes     \n"
            "CapEff:\t000001ffffffffff\nend\n",
            MemoryLocking("virtqemud", None, True),
        ),
    ],
)
def test_limits_of_memory_locking_are_read(text: str, expected: MemoryLocking | None) -> None:
    """The hard limit counts, and whether it can be raised."""
    assert parse_locking(text) == expected


def test_numa_nodes_are_counted_by_their_processors() -> None:
    """A node of memory alone has none."""
    assert parse_nodes("0 131072 0-13,28-41\n1 - 14-27\n2 95000000 \nend\n") == (
        NumaNode(0, 28, 128),
        NumaNode(1, 14, None),
        NumaNode(2, 0, 92773),
    )
