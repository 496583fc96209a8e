"""Hypervisor driver of an emulated compute host: real instances of a simulated machine.

What it offers to Nova is read from the host's own synthetic /sys; what it starts are machines of the lab. It refuses
what libvirt and QEMU refuse, in their words.
"""

import json
import os
from pathlib import Path

import nova.conf
from nova import exception, objects
from nova.compute import power_state
from nova.image import glance
from nova.virt import fake, hardware

from lab.hosts import kernel_log, sysfs
from lab.hosts.client import MachineError, MachinesClient
from lab.hosts.layout import MachineDir
from lab.paths import LabPaths

CONF = nova.conf.CONF
GUEST_DRIVERS = {None, "vfio-pci", "pcieport", "pci-stub"}
"""Drivers that a member of a viable IOMMU group may have (https://docs.kernel.org/driver-api/vfio.html)."""


class LabDriver(fake.FakeDriverWithoutFakeNodes):
    """One emulated compute host."""

    capabilities = {**fake.FakeDriver.capabilities, "supports_image_type_qcow2": True, "supports_pcpus": True}  # noqa: RUF012
    local_gb = 1000

    def __init__(self, virtapi, read_only=False):
        self.paths = LabPaths.of(os.environ["LAB_NAME"])
        self.directory = MachineDir(self.paths, CONF.host)
        self.machine = json.loads(self.directory.machine_file.read_text())
        cpu = self.machine["cpu"]
        self.vcpus = cpu["sockets"] * cpu["cores_per_socket"] * cpu.get("threads", 1)
        self.memory_mb = self.machine["memory_mb"]
        self.machines = MachinesClient(self.paths)
        super().__init__(virtapi, read_only)

    def init_host(self, host):
        super().init_host(host)
        for guest in self._guests():
            state = power_state.RUNNING if guest["power"] == "on" else power_state.SHUTDOWN
            self.instances[guest["uuid"]] = fake.FakeInstance(guest["instance_name"], state, guest["uuid"])

    def _guests(self):
        found = []
        for state in self.machines.list():
            file = self.paths.machines / state["name"] / "instance.json"
            if state["kind"] == "guest" and file.exists():
                data = json.loads(file.read_text())
                if data["host"] == CONF.host:
                    found.append({**data, "power": state["power"]})
        return found

    # ---- inventory

    def get_available_resource(self, nodename):
        resources = super().get_available_resource(nodename)
        resources["hypervisor_type"] = "QEMU"
        resources["numa_topology"] = self._numa_topology()._to_json()
        resources["pci_passthrough_devices"] = json.dumps(list(self._devices()))
        return resources

    def _devices(self):
        """What can be assigned: nothing without IOMMU groups."""
        for device in sorted((self.directory.sys / "bus/pci/devices").iterdir()):
            if not (device / "iommu_group").is_symlink():
                continue
            address = device.name
            vendor, product = (_read(device / name).removeprefix("0x") for name in ("vendor", "device"))
            yield {
                "address": address,
                "vendor_id": vendor,
                "product_id": product,
                "status": "available",
                "dev_type": "type-PF" if (device / "sriov_totalvfs").exists() else "type-PCI",
                "parent_addr": None,
                "numa_node": max(int(_read(device / "numa_node")), 0),
                "dev_id": "pci_" + address.replace(":", "_").replace(".", "_"),
                "label": f"label_{vendor}_{product}",
            }

    def _numa_topology(self):
        sockets = self.machine["cpu"]["sockets"]
        per_cell, memory = self.vcpus // sockets, self.memory_mb // sockets
        cells = [
            objects.NUMACell(
                id=node,
                socket=node,
                cpuset=set(range(node * per_cell, (node + 1) * per_cell)),
                pcpuset=set(),
                memory=memory,
                cpu_usage=0,
                memory_usage=0,
                pinned_cpus=set(),
                siblings=[],
                mempages=[objects.NUMAPagesTopology(size_kb=4, total=memory * 256, used=0)],
            )
            for node in range(sockets)
        ]
        return objects.NUMATopology(cells=cells)

    # ---- life of an instance

    def spawn(
        self, context, instance, image_meta, injected_files, admin_password, allocations,
        network_info=None, block_device_info=None, power_on=True, accel_info=None,
    ):  # fmt: skip
        addresses = [device.address for device in instance.get_pci_devices()]
        self._take_devices(addresses)
        image = self._image(context, instance)
        declaration = {
            "kind": "guest",
            "uuid": instance.uuid,
            "hostname": instance.hostname,
            "host": CONF.host,
            "vcpus": instance.flavor.vcpus,
            "memory_mb": instance.flavor.memory_mb,
            "gpus": addresses,
            "fixed_ip": _fixed_ip(network_info),
        }
        self.machines.define(instance.uuid, declaration, image, self._seed(instance))
        record = {"uuid": instance.uuid, "instance_name": instance.name, "host": CONF.host, "gpus": addresses}
        (self.paths.machines / instance.uuid / "instance.json").write_text(json.dumps(record))
        super().spawn(
            context, instance, image_meta, injected_files, admin_password, allocations,
            network_info, block_device_info, power_on, accel_info,
        )  # fmt: skip
        if power_on:
            self.machines.boot(instance.uuid)

    def _take_devices(self, addresses):
        for address in addresses:
            driver = sysfs.driver_of(self.directory.sys, address)
            if driver not in GUEST_DRIVERS:
                raise exception.InternalError(
                    f"Failed to unbind PCI device '{address}' from {driver}: Device or resource busy"
                )
            self._check_group(address, addresses)
        for address in addresses:
            sysfs.bind(self.directory.sys, address, "vfio-pci")
            self._attach(address)

    def _attach(self, address):
        """VFIO attaches the device's group to an IOMMU domain: the kernel says why when it does not."""
        machine = json.loads(self.directory.machine_file.read_text())
        card = next((gpu for gpu in machine["gpus"] if gpu["address"] == address), {})
        if card.get("rmrr"):
            reason = (
                f"vfio-pci {address}: Device is ineligible for IOMMU domain attach due to platform RMRR requirement."
                "  Contact your platform vendor."
            )
        elif not machine["firmware"].get("interrupt_remapping", True):
            reason = (
                "vfio_iommu_type1_attach_group: No interrupt remapping support.  Use the module param"
                ' "allow_unsafe_interrupts" to enable VFIO IOMMU support on this platform'
            )
        else:
            return
        kernel_log.append(self.directory, reason)
        sysfs.bind(self.directory.sys, address, None)
        group = (self.directory.sys / "bus/pci/devices" / address / "iommu_group").readlink().name
        raise exception.InternalError(
            f"internal error: qemu unexpectedly closed the monitor: vfio {address}: failed to setup container for"
            f" group {group}: failed to set iommu for container: Operation not permitted"
        )

    def _check_group(self, address, addresses):
        link = self.directory.sys / "bus/pci/devices" / address / "iommu_group"
        if not link.is_symlink():
            raise exception.InternalError(
                "unsupported configuration: host doesn't support passthrough of host PCI devices"
            )
        group = link.readlink().name
        members = self.directory.sys / "kernel/iommu_groups" / group / "devices"
        for member in sorted(members.iterdir()):
            if member.name not in addresses and sysfs.driver_of(self.directory.sys, member.name) not in GUEST_DRIVERS:
                raise exception.InternalError(
                    f"internal error: qemu unexpectedly closed the monitor: vfio {address}: group {group} is not viable\n"
                    "Please ensure all devices within the iommu_group are bound to their vfio bus driver."
                )

    def _release_devices(self, uuid):
        file = self.paths.machines / uuid / "instance.json"
        if file.exists():
            for address in json.loads(file.read_text())["gpus"]:
                sysfs.bind(self.directory.sys, address, None)

    def _image(self, context, instance):
        folder = Path(CONF.instances_path) / "_base"
        folder.mkdir(parents=True, exist_ok=True)
        target = folder / instance.image_ref
        if not target.exists():
            partial = target.with_suffix(f".{instance.uuid}")
            glance.API().download(context, instance.image_ref, dest_path=str(partial))
            partial.replace(target)
        return target

    def _seed(self, instance):
        return {
            "instance_id": instance.uuid,
            "hostname": instance.hostname,
            "user_data": instance.user_data,
            "public_keys": [instance.key_data] if instance.key_data else [],
        }

    def destroy(
        self, context, instance, network_info, block_device_info=None, destroy_disks=True, destroy_secrets=True
    ):
        self._release_devices(instance.uuid)
        self.machines.destroy(instance.uuid)
        if instance.uuid in self.instances:
            super().destroy(context, instance, network_info, block_device_info, destroy_disks)

    def power_off(self, instance, timeout=0, retry_interval=0):
        self.machines.shutdown(instance.uuid)
        super().power_off(instance, timeout, retry_interval)

    def power_on(self, context, instance, network_info, block_device_info=None, accel_info=None, share_info=None):
        self.machines.boot(instance.uuid)
        self.instances[instance.uuid].state = power_state.RUNNING

    def reboot(self, context, instance, network_info, reboot_type, *args, **kwargs):
        self.machines.reboot(instance.uuid)
        self.instances[instance.uuid].state = power_state.RUNNING

    def get_info(self, instance, use_cache=True):
        if instance.uuid not in self.instances:
            raise exception.InstanceNotFound(instance_id=instance.uuid)
        try:
            power = self.machines.state(instance.uuid)["power"]
        except MachineError:
            raise exception.InstanceNotFound(instance_id=instance.uuid) from None
        return hardware.InstanceInfo(state=power_state.RUNNING if power == "on" else power_state.SHUTDOWN)

    def get_console_output(self, context, instance):
        return self.machines.console(instance.uuid)


def _read(path):
    return path.read_text().strip()


def _fixed_ip(network_info):
    addresses = [address["address"] for vif in network_info or [] for address in vif.fixed_ips()]
    return addresses[0] if addresses else None
