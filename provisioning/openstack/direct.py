"""What Heat's templates make, made through the services' own APIs, each resource in the ledger before it is there.

For clouds without Heat, and for what the templates do not have: a project that exists, networks that exist, instances
without a floating IP, in an availability zone, or on a volume. Each step looks by name first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from access.errors import AuthenticationError, ProvisioningError
from access.openstack_api import connect, translated
from cloud_file.cloud import Cloud
from cloud_file.sections.networks import ExternalNetwork
from provisioning.ledger import Ledger
from provisioning.openstack.people import find_domain
from provisioning.openstack.resources import in_domain
from provisioning.openstack.tenant import tenant_credentials, tenant_password

NETWORKS_SHOWN = 20


@dataclass(frozen=True)
class DirectTenant:
    """Project, user, quota and networks of one cloud file."""

    cloud: Cloud
    admin: Any
    admin_variables: dict[str, str]
    ledger: Ledger

    def make(self) -> dict[str, Any]:
        """All of it; ids by the names of the outputs of Heat's template, "" for what is not made.

        Raises:
            ProvisioningError: what the file calls existing is not there, or the cloud refuses something.
            AuthenticationError: a right is missing, or the existing user cannot log in.
        """
        tenant, networks = self.cloud.tenant, self.cloud.networks
        if tenant is None or networks is None:
            raise ProvisioningError("the cloud file describes no tenant or no networks")
        if tenant.existing:
            owner, connection = "tenant", self._existing_tenant()
            project_id = str(connection.current_project_id)
        else:
            owner, connection = "admin", self.admin
            project_id = self._project()
            self._user(project_id)
            self._quota(project_id)
        external_id = self._external(networks.external) if networks.external else ""
        network_id, subnet_id = self._internal(connection, owner, project_id)
        if external_id and self.cloud.has_floating_ips and not networks.tenant.existing:
            self._router(connection, owner, project_id, external_id, subnet_id)
        return {
            "project_id": project_id,
            "external_network_id": external_id,
            "internal_network_id": network_id,
            "internal_subnet_id": subnet_id,
        }

    def _existing_tenant(self) -> Any:
        """The existing user's connection; it must have a project."""
        try:
            connection = connect(tenant_credentials(self.cloud, self.admin_variables))
        except AuthenticationError as error:
            raise AuthenticationError(f"{error}{self._why_refused()}") from error
        if not connection.current_project_id:
            raise ProvisioningError(
                "the existing user's login has no project", remedy="name one in its entry of clouds.yaml: project_name"
            )
        return connection

    def _why_refused(self) -> str:
        """Keystone says no and not why; the administrator may see whether project and user are there."""
        tenant = self.cloud.tenant
        if tenant is None or tenant.cloud:
            return ""
        try:
            domain = find_domain(self.admin, tenant.domain)
            missing = [
                f"there is no {kind} {name} in the domain {domain.name}"
                for kind, name, find in (
                    ("project", self.cloud.tenant_project, self.admin.identity.find_project),
                    ("user", self.cloud.tenant_user, self.admin.identity.find_user),
                )
                if find(name, domain_id=domain.id, ignore_missing=True) is None
            ]
        except ProvisioningError as error:
            return f"\n  {error}"
        except Exception:  # no right to look
            return ""
        return "".join(f"\n  {each}" for each in missing) or (
            "\n  project and user are there: is the password right, and has the user a role in the project?"
        )

    def _project(self) -> str:
        name, domain = self.cloud.tenant_project, find_domain(self.admin, self._domain)
        with translated(f"make the project {name}"):
            found = self.admin.identity.find_project(name, domain_id=domain.id, ignore_missing=True)
            if found is None:
                found = self.ledger.making(
                    "tenant-project",
                    in_domain(name, domain.id),
                    lambda: self.admin.identity.create_project(
                        name=name, domain_id=domain.id, description="GPU acceptance"
                    ),
                )
        return str(found.id)

    @property
    def _domain(self) -> str:
        return self.cloud.tenant.domain if self.cloud.tenant else "Default"

    def _user(self, project_id: str) -> None:
        name, domain = self.cloud.tenant_user, find_domain(self.admin, self._domain)
        password = tenant_password(self.cloud)
        roles = self.cloud.tenant.roles if self.cloud.tenant else ()
        with translated(f"make the user {name}"):
            found = self.admin.identity.find_user(name, domain_id=domain.id, ignore_missing=True)
            if found is None:
                found = self.ledger.making(
                    "tenant-user",
                    in_domain(name, domain.id),
                    lambda: self.admin.identity.create_user(
                        name=name, domain_id=domain.id, password=password, default_project_id=project_id
                    ),
                )
            else:
                self.admin.identity.update_user(found, password=password)
            for wanted in roles:
                role = self.admin.identity.find_role(wanted, ignore_missing=True)
                if role is None:
                    known = ", ".join(sorted(role.name for role in self.admin.identity.roles()))
                    raise ProvisioningError(
                        f"there is no role {wanted}; there are: {known}", remedy="name one of these: tenant.roles"
                    )
                self.admin.identity.assign_project_role_to_user(project_id, found, role)

    def _quota(self, project_id: str) -> None:
        quota = self.cloud.tenant.quota if self.cloud.tenant else None
        if quota is None:
            return
        with translated("set the project's quota"):
            self.admin.compute.update_quota_set(
                project_id, cores=quota.cores, ram=quota.memory_mb, instances=quota.instances
            )

    def _external(self, external: ExternalNetwork) -> str:
        if external.existing:
            return str(existing_network(self.admin, external.name).id)
        name = self.cloud.prefixed("external")
        with translated(f"make the network {name}"):
            found = self.admin.network.find_network(name, ignore_missing=True)
            if found is None:
                vlan = {"provider_segmentation_id": external.segmentation_id} if external.segmentation_id else {}
                found = self.ledger.making(
                    "network",
                    name,
                    lambda: self.admin.network.create_network(
                        name=name,
                        is_router_external=True,
                        provider_network_type=external.network_type,
                        provider_physical_network=external.physical_network,
                        **vlan,
                    ),
                )
            if not found.subnet_ids:
                pool = [{"start": external.pool[0], "end": external.pool[1]}] if external.pool else []
                self.admin.network.create_subnet(
                    network_id=found.id,
                    ip_version=_version(str(external.cidr)),
                    cidr=external.cidr,
                    gateway_ip=external.gateway,
                    is_dhcp_enabled=False,
                    allocation_pools=pool,
                )
        return str(found.id)

    def _internal(self, connection: Any, owner: str, project_id: str) -> tuple[str, str]:
        """The instances' network, and one of its subnets."""
        networks = self.cloud.networks
        if networks is None:
            raise ProvisioningError("the cloud file describes no networks")
        declared, name = networks.tenant, self.cloud.tenant_network
        if declared.existing:
            found = existing_network(connection if owner == "tenant" else self.admin, name)
            return str(found.id), str(next(iter(found.subnet_ids or ()), ""))
        mine = {} if owner == "tenant" else {"project_id": project_id}
        with translated(f"make the network {name}"):
            found = connection.network.find_network(name, ignore_missing=True)
            if found is None:
                found = self.ledger.making(
                    "network", name, lambda: connection.network.create_network(name=name, **mine), owner=owner
                )
            subnet_ids = list(found.subnet_ids or ())
            if not subnet_ids:
                dns = {"dns_nameservers": list(declared.dns)} if declared.dns else {}
                made = connection.network.create_subnet(
                    network_id=found.id, ip_version=_version(declared.cidr), cidr=declared.cidr, **dns, **mine
                )
                subnet_ids = [made.id]
        return str(found.id), str(subnet_ids[0])

    def _router(self, connection: Any, owner: str, project_id: str, external_id: str, subnet_id: str) -> None:
        name = self.cloud.prefixed("router")
        mine = {} if owner == "tenant" else {"project_id": project_id}
        with translated(f"make the router {name}"):
            found = connection.network.find_router(name, ignore_missing=True)
            if found is None:
                gateway = {"network_id": external_id}
                found = self.ledger.making(
                    "router",
                    name,
                    lambda: connection.network.create_router(name=name, external_gateway_info=gateway, **mine),
                    owner=owner,
                )
            ports = connection.network.ports(device_id=found.id)
            if not any(fixed["subnet_id"] == subnet_id for port in ports for fixed in port.fixed_ips):
                connection.network.add_interface_to_router(found, subnet_id=subnet_id)


def existing_network(connection: Any, name: str) -> Any:
    """A network that somebody else made.

    Raises:
        ProvisioningError: there is none of that name for this login; lists those that there are.
    """
    with translated(f"find the network {name}"):
        found = connection.network.find_network(name, ignore_missing=True)
        if found is None:
            names = sorted({str(each.name) for each in connection.network.networks()})
    if found is None:
        shown = ", ".join(names[:NETWORKS_SHOWN]) + (" …" if len(names) > NETWORKS_SHOWN else "")
        raise ProvisioningError(
            f"there is no network {name} for this login; there are: {shown or 'none'}",
            remedy="name one of these in the cloud file (networks), or leave existing out: then one is made",
        )
    return found


def _version(cidr: str) -> int:
    return 6 if ":" in cidr else 4
