"""What an emulated host offers to Nova: processors, memory, NUMA cells and what its /sys says can be assigned."""

import json

from nova import objects


class Inventory:
    """The part of the driver that describes the host; needs `directory`, `machine`, `vcpus`, `memory_mb`."""

    def get_available_resource(self, nodename):
        resources = super().get_available_resource(nodename)
        resources["hypervisor_type"] = "QEMU"
        resources["numa_topology"] = self._numa_topology()._to_json()
        resources["pci_passthrough_devices"] = json.dumps(list(self._devices()))
        return resources

    def _devices(self):
        """What can be assigned: nothing without IOMMU groups, nor in a container that does not see /sys."""
        if json.loads(self.directory.machine_file.read_text()).get("container_without_sys"):
            return
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
                "dev_type": _device_type(device),
                "parent_addr": (device / "physfn").readlink().name if (device / "physfn").is_symlink() else None,
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


def _device_type(device):
    if (device / "physfn").is_symlink():
        return "type-VF"
    return "type-PF" if (device / "sriov_totalvfs").exists() else "type-PCI"


def _read(path):
    return path.read_text().strip()
