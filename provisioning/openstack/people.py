"""Domains, projects and users of Keystone, by name."""

from __future__ import annotations

from typing import Any

from openstack import exceptions as sdk

from access.errors import ProvisioningError
from access.openstack_api import translated
from cloud_file.cloud import Cloud


def find_domain(admin: Any, name: str) -> Any:
    """A domain by its name or id.

    Raises:
        ProvisioningError: there is none; lists those that there are.
        AuthenticationError: the administrator may not list domains.
    """
    with translated(f"find the domain {name}"):
        found = admin.identity.find_domain(name, ignore_missing=True)
        if found is not None:
            return found
        names = sorted(str(domain.name) for domain in admin.identity.domains())
    raise ProvisioningError(
        f"there is no domain {name}; there are: {', '.join(names)}", remedy="name one of these: tenant.domain"
    )


def find_project(admin: Any, cloud: Cloud) -> Any | None:
    """The tenant's project; None where it, or its domain, is not there."""
    if cloud.tenant is None:
        raise ProvisioningError("the cloud file describes no tenant")
    with translated(f"find the project {cloud.tenant_project}"):
        try:
            domain = admin.identity.find_domain(cloud.tenant.domain, ignore_missing=True)
        except sdk.ForbiddenException:  # an administrator of one domain sees its projects only
            return admin.identity.find_project(cloud.tenant_project, ignore_missing=True)
        if domain is None:
            return None
        return admin.identity.find_project(cloud.tenant_project, domain_id=domain.id, ignore_missing=True)
