"""The administrator's stack (project, user, quota, networks), the flavors, and the tenant's own credentials."""

from __future__ import annotations

import os
import secrets
import subprocess
from pathlib import Path
from typing import Any

from access.errors import ProvisioningError
from access.openstack_api import NAMED, as_user, translated
from access.progress import Progress
from cloud_file.cloud import Cloud
from cloud_file.sections.networks import ExternalNetwork
from cloud_file.sections.tenant import Flavor
from probes.alias_request import ALIAS
from provisioning.administrator import said_of_apis
from provisioning.ledger import Ledger
from provisioning.openstack.stack import make_stack

STACK_TIMEOUT_S = 300.0


def make_admin_stack(cloud: Cloud, admin: Any, ledger: Ledger, progress: Progress) -> dict[str, Any]:
    """Project, user with its role, quota, networks; returns the stack's outputs."""
    tenant, networks = cloud.tenant, cloud.networks
    if tenant is None or networks is None or networks.external is None or tenant.quota is None:
        raise ProvisioningError("the cloud file describes no tenant with its quota, or no networks")
    external = networks.external
    parameters = {
        "prefix": cloud.prefix,
        "project_name": cloud.tenant_project,
        "user_name": cloud.tenant_user,
        "user_password": tenant_password(cloud),
        "domain": tenant.domain,
        "roles": ",".join(tenant.roles),
        **_external(external),
        "internal_cidr": networks.tenant.cidr,
        "dns": ",".join(networks.tenant.dns),
        "cores": tenant.quota.cores,
        "ram_mb": tenant.quota.memory_mb,
        "instances": tenant.quota.instances,
    }
    return make_stack(
        admin,
        ledger,
        progress,
        name=cloud.prefixed("admin"),
        template="admin.yaml",
        parameters=parameters,
        timeout_s=STACK_TIMEOUT_S,
        owner="admin",
    )


def _external(external: ExternalNetwork) -> dict[str, Any]:
    """Parameters of the network that floating IPs come from: one that is there already, or ours."""
    pool = external.pool or ("", "")
    return {
        "existing_external": external.name if external.existing else "",
        "network_type": external.network_type,
        "physical_network": external.physical_network,
        "segmentation_id": str(external.segmentation_id or ""),
        "external_cidr": external.cidr or "",
        "external_gateway": external.gateway or "",
        "pool_start": pool[0],
        "pool_end": pool[1],
    }


def tenant_password(cloud: Cloud) -> str:
    """The tenant user's password: by reference, or one that we made and keep in the run's directory."""
    if cloud.tenant is not None and cloud.tenant.password is not None:
        return cloud.tenant.password.read()
    path = cloud.runs / "tenant-password"
    if not path.exists():
        _write_private(path, secrets.token_urlsafe(24))
    return path.read_text(encoding="utf-8").strip()


def _write_private(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path.with_name(path.name + ".new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as stream:
        stream.write(text)
    fresh.replace(path)


def tenant_credentials(cloud: Cloud, admin_variables: dict[str, str]) -> dict[str, str]:
    """OS_* variables of the tenant's user."""
    tenant = cloud.tenant
    if tenant is None:
        raise ProvisioningError("the cloud file describes no tenant")
    if tenant.cloud:
        return {NAMED: tenant.cloud, **said_of_apis(cloud)}
    return as_user(
        admin_variables,
        user=cloud.tenant_user,
        password=tenant_password(cloud),
        project=cloud.tenant_project,
        domain=tenant.domain,
    )


def make_flavors(cloud: Cloud, admin: Any, project_id: str, ledger: Ledger) -> dict[str, str]:
    """Flavors with their PCI alias, private to the tenant; ids by the cloud file's names."""
    return {flavor.name: _flavor(cloud, admin, flavor, project_id, ledger) for flavor in cloud.flavors}


def _flavor(cloud: Cloud, admin: Any, flavor: Flavor, project_id: str, ledger: Ledger) -> str:
    name = cloud.prefixed(flavor.name)
    specs = {ALIAS: flavor.pci_alias, **flavor.extra_specs}
    with translated(f"make the flavor {name}"):
        found = admin.compute.find_flavor(name, get_extra_specs=True, ignore_missing=True)
        if found is not None:
            same = (found.vcpus, found.ram, found.disk) == (flavor.vcpus, flavor.memory_mb, flavor.disk_gb)
            if same and dict(found.extra_specs or {}) == specs:
                return str(found.id)
            admin.compute.delete_flavor(found)
        ledger.intend("flavor", name)
        made = admin.compute.create_flavor(
            name=name, vcpus=flavor.vcpus, ram=flavor.memory_mb, disk=flavor.disk_gb, is_public=flavor.public
        )
        ledger.made("flavor", name, id=made.id)
        admin.compute.create_flavor_extra_specs(made, specs)
        if not flavor.public:
            admin.compute.flavor_add_tenant_access(made, project_id)
    return str(made.id)


def share_image(admin: Any, tenant: Any, image_id: str, project_id: str, ledger: Ledger) -> None:
    """Let the tenant's project use the image, and no other; one that the tenant can use already stays as it is."""
    with translated("share the image with the tenant"):
        if admin.image.get_image(image_id).visibility in ("public", "community") or tenant.image.find_image(image_id):
            return
        name = f"{image_id}/{project_id}"
        ledger.intend("image-member", name)
        if project_id not in [member.member_id for member in admin.image.members(image_id)]:
            admin.image.add_member(image_id, member_id=project_id)
        ledger.made("image-member", name)
        tenant.image.update_member(project_id, image_id, status="accepted")


def make_keypair(cloud: Cloud, tenant: Any, ledger: Ledger) -> Path:
    """The tenant's key pair, made here so that the private key never leaves this machine; returns its file."""
    path = cloud.runs / "id_ed25519"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", cloud.prefix, "-f", str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ProvisioningError(f"ssh-keygen failed: {done.stderr.strip()}", remedy="install openssh-client")
    name, public = cloud.prefixed("key"), path.with_suffix(".pub").read_text(encoding="utf-8").strip()
    with translated(f"make the key pair {name}"):
        found = tenant.compute.find_keypair(name, ignore_missing=True)
        if found is not None and (found.public_key or "").split()[:2] == public.split()[:2]:
            return path
        if found is not None:
            tenant.compute.delete_keypair(found)
        ledger.intend("keypair", name, owner="tenant")
        tenant.compute.create_keypair(name=name, public_key=public)
        ledger.made("keypair", name, owner="tenant")
    return path
