"""Hypervisor driver of an emulated compute host: real instances of a simulated machine.

What it offers to Nova is read from the host's own synthetic /sys; what it starts are machines of the lab. It refuses
what libvirt and QEMU refuse, in their words. An instance's disk is shared between the hosts, as with Ceph: a move
changes the host, the hardware and the domain, and never copies.
"""

import json
import os

import nova.conf
from nova import exception
from nova.compute import power_state, task_states
from nova.virt import fake, hardware

from lab.hosts.daemon.client import MachineError, MachinesClient
from lab.hosts.hardware import sysfs
from lab.hosts.layout import MachineDir
from lab.paths import LabPaths
from labcloud import disks, faults, inventory, memory
from labcloud.domains import HOLDING, PAUSED, RUNNING, SAVED, SHUT_OFF, Domains
from labcloud.passthrough import Passthrough

CONF = nova.conf.CONF


class LabDriver(inventory.Inventory, fake.FakeDriverWithoutFakeNodes):
    """One emulated compute host."""

    capabilities = {  # noqa: RUF012
        **fake.FakeDriver.capabilities,
        "supports_image_type_qcow2": True,
        "supports_pcpus": True,
        "supports_socket_pci_numa_affinity": True,
    }
    local_gb = 1000

    def __init__(self, virtapi, read_only=False):
        self.paths = LabPaths.of(os.environ["LAB_NAME"])
        self.directory = MachineDir(self.paths, CONF.host)
        self.machine = json.loads(self.directory.machine_file.read_text())
        cpu = self.machine["cpu"]
        self.vcpus = cpu["sockets"] * cpu["cores_per_socket"] * cpu.get("threads", 1)
        self.memory_mb = self.machine["memory_mb"]
        self.machines = MachinesClient(self.paths)
        self.domains = Domains(self.directory)
        self.passthrough = Passthrough(self.directory, self.domains)
        super().__init__(virtapi, read_only)
        faults.install(self.paths)

    # ---- which instances there are

    def init_host(self, host):
        super().init_host(host)
        for domain in self.domains.all():  # after a restart: what QEMU kept open is still open
            if domain.state in HOLDING and self._is_ours(domain.uuid):
                for address in domain.addresses:
                    sysfs.bind(self.directory.sys, address, "vfio-pci")

    def list_instances(self):
        return [domain.name for domain in self.domains.all()]

    def list_instance_uuids(self):
        return [domain.uuid for domain in self.domains.all()]

    def instance_exists(self, instance):
        return self.domains.find(instance.uuid) is not None

    def instance_on_disk(self, instance):
        """Storage is shared: an evacuated instance keeps its disk."""
        return MachineDir(self.paths, instance.uuid).machine_file.exists()

    def check_instance_shared_storage_local(self, context, instance):
        """None: nothing to compare, since all hosts have the same storage."""
        return

    def get_info(self, instance, use_cache=True):
        domain = self.domains.find(instance.uuid)
        if domain is None:
            raise exception.InstanceNotFound(instance_id=instance.uuid)
        return hardware.InstanceInfo(state=self._power_state(domain))

    def _power_state(self, domain):
        if domain.state == SAVED or not self._is_ours(domain.uuid):
            return power_state.SHUTDOWN
        try:
            power = self.machines.state(domain.uuid)["power"]
        except MachineError:
            raise exception.InstanceNotFound(instance_id=domain.uuid) from None
        if power != "on":
            return power_state.SHUTDOWN
        return power_state.PAUSED if domain.state == PAUSED else power_state.RUNNING

    def guest_file(self, uuid):
        """What the machine of an instance is."""
        return MachineDir(self.paths, uuid).machine_file

    def _is_ours(self, uuid):
        """Whether the machine runs here: after an evacuation only the old domain's definition is left."""
        file = MachineDir(self.paths, uuid).machine_file
        return file.exists() and json.loads(file.read_text())["host"] == CONF.host

    # ---- life of an instance

    def spawn(
        self,
        context,
        instance,
        image_meta,
        injected_files,
        admin_password,
        allocations,
        network_info=None,
        block_device_info=None,
        power_on=True,
        accel_info=None,
    ):
        disks.require_room(self.machines.state(CONF.host)["pid"])
        image = disks.download(context, instance.image_ref, instance.uuid)
        evacuated = self.instance_on_disk(instance) and not self._is_ours(instance.uuid)
        if not evacuated:
            self.machines.destroy(instance.uuid)
        self._place(instance, network_info, image, power_on)

    def _place(self, instance, network_info, image=None, power_on=True, addresses=None):
        """Define the domain and its machine on this host with the devices that Nova claimed, and start it."""
        if addresses is None:
            addresses = [device.address for device in instance.get_pci_devices()]
        addresses = faults.devices(self, instance, addresses)
        self.passthrough.take(instance.uuid, addresses)
        if self.instance_on_disk(instance):
            self.machines.shutdown(instance.uuid)
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
        self.machines.define(instance.uuid, declaration, image, _seed(instance))
        self.domains.define(instance, addresses, RUNNING if power_on else SHUT_OFF)
        if power_on:
            self.machines.boot(instance.uuid)
            memory.kill_if_short(self)
        else:
            self.passthrough.give_back(instance.uuid, addresses)

    def destroy(
        self, context, instance, network_info, block_device_info=None, destroy_disks=True, destroy_secrets=True
    ):
        """The domain goes with its devices; the disk only if the instance will not be moved back."""
        ours = self._is_ours(instance.uuid)
        if not ours and faults.keeps_evacuated(self.paths):
            return
        if ours:
            self.machines.shutdown(instance.uuid)
        self._forget(instance.uuid)
        if ours and destroy_disks and instance.task_state != task_states.RESIZE_REVERTING:
            self.machines.destroy(instance.uuid)

    def _forget(self, uuid):
        domain = self.domains.find(uuid)
        if domain is not None:
            self.domains.undefine(uuid)
            self.passthrough.give_back(uuid, domain.addresses)

    def cleanup(self, context, instance, *args, **kwargs):
        """Nothing is left beside the domain and the machine."""

    def power_off(self, instance, timeout=0, retry_interval=0):
        self.machines.shutdown(instance.uuid)
        self._release(instance, SHUT_OFF)

    def power_on(self, context, instance, network_info, block_device_info=None, accel_info=None, share_info=None):
        self._take_again(instance)
        self.machines.boot(instance.uuid)
        memory.kill_if_short(self)

    def _release(self, instance, state):
        """QEMU ended: libvirt gives managed devices back to the host, the definition keeps them."""
        domain = self.domains.find(instance.uuid)
        self.domains.set_state(instance.uuid, state)
        self.passthrough.give_back(instance.uuid, domain.addresses if domain else ())

    def _take_again(self, instance):
        domain = self.domains.find(instance.uuid)
        if domain is None:
            raise exception.InstanceNotFound(instance_id=instance.uuid)
        self.passthrough.take(instance.uuid, domain.addresses)
        self.domains.set_state(instance.uuid, RUNNING)

    def reboot(self, context, instance, network_info, reboot_type, *args, **kwargs):
        """A hard reboot defines the domain again from what Nova has claimed, as libvirt's driver does."""
        if reboot_type == "SOFT" and self.domains.find(instance.uuid).state == RUNNING:
            self.machines.reboot(instance.uuid)
            return
        self.machines.shutdown(instance.uuid)
        self._forget(instance.uuid)
        self._place(instance, network_info)

    def pause(self, instance):
        self.machines.pause(instance.uuid)
        self.domains.set_state(instance.uuid, PAUSED)

    def unpause(self, instance):
        self.machines.unpause(instance.uuid)
        self.domains.set_state(instance.uuid, RUNNING)

    def suspend(self, context, instance):
        """Flavor-based devices are unplugged, then the memory is saved (libvirt driver's suspend)."""
        faults.refuse_suspend(self.paths)
        self.machines.pause(instance.uuid)
        self._release(instance, SAVED)

    def resume(self, context, instance, network_info, block_device_info=None, share_info=None):
        self._take_again(instance)
        self.machines.unpause(instance.uuid)

    def rescue(
        self, context, instance, network_info, image_meta, rescue_password, block_device_info, share_info, **kwargs
    ):
        """Nova has switched it off; it runs again with its devices. It boots its own disk: there is no rescue disk."""
        self.power_on(context, instance, network_info)

    def unrescue(self, context, instance):
        self.machines.shutdown(instance.uuid)
        self.machines.boot(instance.uuid)

    def resume_state_on_host_boot(self, context, instance, network_info, share_info=None, block_device_info=None):
        self.reboot(context, instance, network_info, "HARD")

    def snapshot(self, context, instance, image_id, update_task_state):
        if self.domains.find(instance.uuid) is None:
            raise exception.InstanceNotRunning(instance_id=instance.uuid)
        update_task_state(task_state=task_states.IMAGE_PENDING_UPLOAD)
        disks.upload(context, MachineDir(self.paths, instance.uuid), image_id, update_task_state)

    def get_console_output(self, context, instance):
        return self.machines.console(instance.uuid)

    # ---- moves

    def migrate_disk_and_power_off(
        self, context, instance, dest, flavor, network_info, block_device_info=None, timeout=0, retry_interval=0
    ):
        """The source's domain goes at once; confirming finds nothing left to remove."""
        self.machines.shutdown(instance.uuid)
        self._forget(instance.uuid)
        return "[]"

    def finish_migration(
        self,
        context,
        migration,
        instance,
        disk_info,
        network_info,
        image_meta,
        resize_instance,
        allocations,
        block_device_info=None,
        power_on=True,
        share_info=None,
    ):
        self._place(instance, network_info, power_on=power_on)

    def confirm_migration(self, context, migration, instance, network_info):
        """The source has nothing any more; on the same host the domain is the new one."""
        if migration.source_compute != migration.dest_compute:
            self._forget(instance.uuid)

    def finish_revert_migration(
        self, context, instance, network_info, migration, block_device_info=None, power_on=True, share_info=None
    ):
        self._place(instance, network_info, power_on=power_on)


def _seed(instance):
    return {
        "instance_id": instance.uuid,
        "hostname": instance.hostname,
        "user_data": instance.user_data,
        "public_keys": [instance.key_data] if instance.key_data else [],
    }


def _fixed_ip(network_info):
    addresses = [address["address"] for vif in network_info or [] for address in vif.fixed_ips()]
    return addresses[0] if addresses else None
