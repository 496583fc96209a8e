"""What a deploy of this cloud would use, as files."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

from cloud_file.cloud import Cloud
from cloud_file.deployer import deployer_of, tripleo_of
from provisioning.openstack import stack
from provisioning.tripleo.environments import render
from provisioning.tripleo.undercloud import deploy_command

HEAT_TEMPLATES = Path(stack.__file__).parent / "heat"


def write_deployment(cloud: Cloud, folder: Path) -> None:
    """Write into `folder` what a deploy of this cloud would use: environment files, deploy command, Heat templates."""
    shutil.rmtree(folder, ignore_errors=True)
    if cloud.has_tripleo and cloud.release is not None:
        deployer = deployer_of(cloud)
        for name, text in render(cloud, deployer).items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        modules = cloud.deploy.puppet_modules if tripleo_of(deployer).puppet_nova_needs_update else None
        upload = f"upload-puppet-modules -d {shlex.quote(modules)}\n" if modules else ""
        command = deploy_command(cloud, deployer, cloud.deploy.working_directory)
        (folder / "deploy.sh").write_text(f"#!/bin/bash\nset -e\n{upload}{command}\n", encoding="utf-8")
    (folder / "heat").mkdir(parents=True, exist_ok=True)
    for template in sorted(HEAT_TEMPLATES.glob("*.yaml")):
        shutil.copyfile(template, folder / "heat" / template.name)
