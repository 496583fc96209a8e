"""Makes what a test needs: flavors, instances, images, aggregates, ports."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from openstack import exceptions as sdk

from access.errors import AuthenticationError, ProvisioningError
from access.openstack_api import translated
from access.waiting import wait_for
from probes import guest_console
from probes.alias_request import ALIAS
from provisioning.openstack import instances, resources
from provisioning.scenario.state import BOOT_TIMEOUT_S, InstanceStates

VCPUS, MEMORY_MB = 2, 2048


class Making(InstanceStates):
    """Makes resources under names with the test's token."""

    def alias(self, number: int = 0) -> str:
        """Name of one of the cloud's PCI aliases."""
        return self.cloud.aliases[number % len(self.cloud.aliases)].name

    def flavor(
        self,
        cards: int | Mapping[str, int] = 0,
        *,
        vcpus: int = VCPUS,
        memory_mb: int = MEMORY_MB,
        extra_specs: Mapping[str, str] | None = None,
    ) -> str:
        """A small flavor with `cards` of the first alias, or with these aliases; private to the tenant."""
        aliases = {self.alias(): cards} if isinstance(cards, int) else dict(cards)
        specs = {**(extra_specs or {})}
        if any(aliases.values()):
            specs[ALIAS] = ",".join(f"{name}:{count}" for name, count in aliases.items() if count)
        disk_gb = min(flavor.disk_gb for flavor in self.cloud.flavors)
        name = self.new_name("test-flavor")
        with translated(f"make the flavor {name}"):
            made = self.admin.compute.create_flavor(
                name=name, vcpus=vcpus, ram=memory_mb, disk=disk_gb, is_public=False
            )
            if specs:
                self.admin.compute.create_flavor_extra_specs(made, specs)
            self.admin.compute.flavor_add_tenant_access(made, self.environment.project_id)
        return str(made.id)

    def request(
        self,
        flavor_id: str,
        *,
        image_id: str | None = None,
        user_data: str = guest_console.USER_DATA,
        connection: Any = None,
        **more: Any,
    ) -> str:
        """Ask for an instance as the tenant's user; returns its id at once.

        Raises:
            ProvisioningError: the API refuses.
        """
        name = self.new_name("server")
        return self._create(name, flavor_id, image_id, user_data, connection or self.tenant, more)

    def boot_servers(self, flavor_id: str, count: int, **more: Any) -> list[str]:
        """`count` ACTIVE instances by one request: Nova places all of them at once, so none takes the card of another.

        Raises:
            InstanceRefused: Nova put one into ERROR.
        """
        name = self.new_name("server")
        names = [name]
        if count > 1:  # then Nova numbers them
            names = [f"{name}-{number}" for number in range(1, count + 1)]
            for each in names:
                self.record("server", each)
        more |= {"min_count": count, "max_count": count}
        self._create(name, flavor_id, None, guest_console.USER_DATA, self.tenant, more)
        with translated(f"find the instances of {name}"):
            found = {server.name: str(server.id) for server in self.tenant.compute.servers(details=False, name=name)}
        missing = [each for each in names if each not in found]
        if missing:
            raise ProvisioningError(f"Nova made {sorted(found)} of {count} instances, not {', '.join(missing)}")
        for each in names:
            instances.wait_for_status(self.tenant, found[each], "ACTIVE")
        return [found[each] for each in names]

    def _create(
        self, name: str, flavor_id: str, image_id: str | None, user_data: str, connection: Any, more: dict[str, Any]
    ) -> str:
        with translated(f"create the instance {name}"):
            made = connection.compute.create_server(
                name=name,
                flavor_id=flavor_id,
                image_id=image_id or self.environment.image_id,
                networks=more.pop("networks", None) or [{"uuid": self.network_id()}],
                user_data=base64.b64encode(user_data.encode()).decode(),
                **more,
            )
        return str(made.id)

    def server(self, flavor_id: str, **more: Any) -> str:
        """An instance that is ACTIVE and has booted.

        Raises:
            InstanceRefused: Nova put it into ERROR.
        """
        server_id = self.request(flavor_id, **more)
        instances.wait_for_status(self.tenant, server_id, "ACTIVE")
        self.boot(server_id)
        return server_id

    def refusal(self, flavor_id: str, **more: Any) -> str:
        """Nova's reason for refusing an instance; "" if it does not refuse."""
        try:
            server_id = self.request(flavor_id, **more)
            instances.wait_for_status(self.tenant, server_id, "ACTIVE")
        except (ProvisioningError, AuthenticationError) as error:  # 403 is also Nova's answer to a quota or policy
            return str(error)
        return ""

    def network_id(self) -> str:
        """Id of the tenant's network.

        Raises:
            ProvisioningError: the tenant has no network of ours.
        """
        with translated("find the tenant's network"):
            found = self.tenant.network.find_network(self.cloud.tenant_network, ignore_missing=True)
        if found is None:
            raise ProvisioningError("the tenant has no network of ours")
        return str(found.id)

    def snapshot(self, server_id: str) -> str:
        """An image of an instance."""
        name = self.new_name("server-image")
        with translated(f"make the image {name}"):
            made = self.tenant.compute.create_server_image(server_id, name, wait=False)
        wait_for(
            f"the image {name}",
            lambda: self.tenant.image.get_image(made.id),
            lambda image: image.status == "active",
            timeout_s=BOOT_TIMEOUT_S,
            interval_s=0.2,
            describe=lambda image: image.status,
        )
        instances.wait_for_status(self.tenant, server_id, "ACTIVE", "SHUTOFF")
        return str(made.id)

    def empty_image(self, **properties: str) -> str:
        """An image with properties and no content, for requests that are refused before an image is read."""
        name = self.new_name("server-image")
        with translated(f"make the image {name}"):
            made = self.tenant.image.create_image(
                name=name,
                disk_format="raw",
                container_format="bare",
                data=bytes(1 << 20),
                validate_checksum=False,
                **properties,
            )
        return str(made.id)

    def aggregate(self, hosts: list[str], metadata: Mapping[str, str]) -> None:
        """A host aggregate of compute services."""
        name = self.new_name("aggregate")
        with translated(f"make the aggregate {name}"):
            made = self.admin.compute.create_aggregate(name=name)
            for host in hosts:
                self.admin.compute.add_host_to_aggregate(made, resources.compute_service(self.admin, host).host)
            self.admin.compute.set_aggregate_metadata(made, **metadata)

    def port_with_profile(self, profile: Mapping[str, str]) -> tuple[str, Mapping[str, str]]:
        """Make a port with a binding profile as the tenant's user.

        Returns the refusal ("" if none) and what is stored.
        """
        name = self.new_name("port")
        try:
            made = self.tenant.network.create_port(
                network_id=self.network_id(), name=name, binding_vnic_type="normal", binding_profile=dict(profile)
            )
        except sdk.HttpException as error:
            return f"{error.status_code} {error}", {}
        with translated(f"read the port {name}"):
            return "", dict(self.admin.network.get_port(made.id).binding_profile or {})
