"""The GPU image: customized on the undercloud, uploaded to Glance."""

from __future__ import annotations

import hashlib
import shlex
from typing import Any

from access.errors import ProvisioningError
from access.openstack_api import translated, without_time_limit
from access.progress import Progress
from access.ssh import RemoteHost
from cloud_file.cloud import Cloud
from cloud_file.sections.image import Image, Registration
from provisioning.ledger import Ledger

KERNEL_OF_IMAGE = "rpm -q --last kernel | head -n 1 | sed 's/^kernel-//; s/ .*//'"
"""Asked inside the image: `uname -r` would be the kernel of the appliance that virt-customize runs."""
MARK = "gpu_acceptance_recipe"


def make_image(cloud: Cloud, admin: Any, undercloud: RemoteHost | None, ledger: Ledger, progress: Progress) -> str:
    """The image's id, made when Glance has none of this recipe.

    Raises:
        ProvisioningError: it cannot be made.
    """
    image = cloud.image
    if image is None:
        raise ProvisioningError("the cloud file describes no image")
    if image.base is None:
        return _existing(admin, image.name)
    name = cloud.prefixed(image.name)
    recipe = hashlib.sha256(repr((image, steps(image))).encode()).hexdigest()
    with translated(f"find the image {name}"):
        for found in admin.image.images(name=name):
            if (found.properties or {}).get(MARK) == recipe and found.status == "active":
                return str(found.id)
            progress.detail("the image was made by another recipe; it is replaced")
            admin.image.delete_image(found, ignore_missing=True)
    if undercloud is None:
        raise ProvisioningError(f"Glance has no image {name}, and there is no undercloud to make it on")
    path = _customize(cloud, image, undercloud, ledger, progress)
    return _upload(admin, undercloud, ledger, progress, image, name=name, path=path, recipe=recipe)


def _existing(admin: Any, name: str) -> str:
    """An image that somebody else made; it is taken as it is and never removed."""
    with translated(f"find the image {name}"):
        found = admin.image.find_image(name, ignore_missing=True)
    if found is None or found.status != "active":
        state = found.status if found else "not there"
        raise ProvisioningError(
            f"the image {name} is {state}",
            remedy="upload it, or name its base on the undercloud (image.base), so that it can be made",
        )
    return str(found.id)


def registration_script(registration: Registration) -> str:
    """Registers the system that it runs in. It holds a secret: it is a file of its owner only, and removed at once."""
    if registration.activation_key is not None and registration.organization is not None:
        words = [f"--org={registration.organization.read()}", f"--activationkey={registration.activation_key.read()}"]
    elif registration.user is not None and registration.password is not None:
        words = [f"--username={registration.user.read()}", f"--password={registration.password.read()}"]
    else:
        raise ProvisioningError(
            "image.registration names neither organization and activation_key nor user and password",
            remedy="name one of the two pairs, each by reference",
        )
    pool = f"subscription-manager attach --pool={shlex.quote(registration.pool)}\n" if registration.pool else ""
    return f"#!/bin/sh -e\nsubscription-manager register {shlex.join(words)}\n{pool}"


def steps(image: Image, register: str | None = None) -> list[str]:
    """Options of virt-customize, in their order; `register` is the path of the registration's script.

    No secret stands in them: `--run` copies the script into the image and runs it there.
    """
    words = ["--run", register] if register else []
    for repository in image.repositories:
        words += ["--run-command", f"subscription-manager repos --enable={shlex.quote(repository)}"]
    packages = shlex.join(image.packages)
    install = (
        f'release=$({KERNEL_OF_IMAGE}); yum install -y "kernel-devel-$release" "kernel-headers-$release" {packages}'
    )
    words += ["--run-command", install]
    words += ["--run-command", f'rpm -q "kernel-devel-$({KERNEL_OF_IMAGE})" {packages}']
    words += ["--run-command", "subscription-manager unregister"] if register else []
    return [*words, "--selinux-relabel"]


def _customize(cloud: Cloud, image: Image, undercloud: RemoteHost, ledger: Ledger, progress: Progress) -> str:
    path = f"/home/{undercloud.endpoint.user}/{cloud.deploy.working_directory}/{image.name}.qcow2"
    ledger.intend("undercloud-file", path, owner="undercloud")
    copy = f"mkdir -p {shlex.quote(path.rsplit('/', 1)[0])} && cp {shlex.quote(str(image.base))} {shlex.quote(path)}"
    script = f"{path}.register.sh" if image.registration else None
    if script is not None and image.registration is not None:
        ledger.intend("undercloud-file", script, owner="undercloud")
        undercloud.write_file(script, registration_script(image.registration), mode=0o600)
    customize = shlex.join(["virt-customize", "-a", path, *steps(image, script)])
    try:
        for text, limit_s in ((copy, 600.0), (customize, image.timeout_min * 60)):
            _must_run(undercloud, text, limit_s, image, progress)
    finally:
        if script is not None:
            undercloud.run(f"rm -f {shlex.quote(script)}")
    return path


def _must_run(undercloud: RemoteHost, text: str, limit_s: float, image: Image, progress: Progress) -> None:
    output = undercloud.run(text, timeout_s=limit_s, on_line=progress.detail)
    if output.exit_code != 0:
        said = (output.stdout + output.stderr)[-1500:]
        raise ProvisioningError(
            f"the image {image.name} cannot be customized ({output.exit_code}):\n{said}",
            remedy="is the image registered, and do its repositories have kernel-devel of exactly its kernel?",
        )


def _upload(
    admin: Any,
    undercloud: RemoteHost,
    ledger: Ledger,
    progress: Progress,
    image: Image,
    *,
    name: str,
    path: str,
    recipe: str,
) -> str:
    progress.detail(f"uploading {name} to Glance")
    ledger.intend("image", name)
    with undercloud.open_file(path) as data, translated(f"upload the image {name}"), without_time_limit(admin):
        made = admin.image.create_image(
            name=name,
            disk_format="qcow2",
            container_format="bare",
            visibility="shared",
            data=data,
            validate_checksum=False,
            **{MARK: recipe, **image.properties},
        )
    ledger.made("image", name, id=made.id)
    return str(made.id)
