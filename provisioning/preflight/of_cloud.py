"""Preflight of a cloud file: what we would deploy for it, rendered and read before anything is touched."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

import yaml

from provisioning.cloud_file import Cloud
from provisioning.errors import ProvisioningError
from provisioning.openstack import stack
from provisioning.preflight.cli import inspect
from provisioning.preflight.file_set import FileSet
from provisioning.preflight.finding import Finding, Severity
from provisioning.progress import Progress
from provisioning.tripleo.environments import render
from provisioning.tripleo.release import release
from provisioning.tripleo.undercloud import deploy_command

HEAT_TEMPLATES = Path(stack.__file__).parent / "heat"


def write_deployment(cloud: Cloud, folder: Path) -> None:
    """Write into `folder` what a deploy of this cloud would use: environment files, deploy command, Heat templates."""
    shutil.rmtree(folder, ignore_errors=True)
    if cloud.has_tripleo and cloud.release is not None:
        dialect = release(cloud.release)
        for name, text in render(cloud, dialect).items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        modules = cloud.deploy.puppet_modules if dialect.puppet_nova_needs_update else None
        upload = f"upload-puppet-modules -d {shlex.quote(modules)}\n" if modules else ""
        command = deploy_command(cloud, dialect, cloud.deploy.working_directory)
        (folder / "deploy.sh").write_text(f"#!/bin/bash\nset -e\n{upload}{command}\n", encoding="utf-8")
    (folder / "heat").mkdir(parents=True, exist_ok=True)
    for template in sorted(HEAT_TEMPLATES.glob("*.yaml")):
        shutil.copyfile(template, folder / "heat" / template.name)


def inspect_cloud(cloud: Cloud, cloud_file: Path | None = None) -> tuple[FileSet, list[Finding]]:
    """Everything that we would deploy, together with the cloud file itself, and the findings."""
    folder = cloud.runs / "preflight"
    cloud.runs.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_deployment(cloud, folder)
    if cloud_file is None:
        (folder / "cloud.yaml").write_text(_declared(cloud), encoding="utf-8")
    return inspect([folder, *([cloud_file] if cloud_file else [])], cloud.release)


def _declared(cloud: Cloud) -> str:
    """What the rules read of a cloud file, for callers who have only its content."""
    content = cloud.model_dump(mode="json", include={"kind", "hosts", "gpus", "aliases", "flavors", "cuda"})
    return yaml.safe_dump(content, sort_keys=False)


def stop_on_mistakes(cloud: Cloud, progress: Progress) -> None:
    """Say every finding; an error ends the provisioning before the deploy.

    Raises:
        ProvisioningError: there is at least one error; lists them all.
    """
    files, findings = inspect_cloud(cloud)
    errors = [finding for finding in findings if finding.severity is Severity.ERROR]
    for finding in findings:
        progress.detail(in_one_line(finding))
    progress.detail(f"{len(files.texts)} files read, {len(errors)} errors, {len(findings) - len(errors)} warnings")
    if errors:
        raise ProvisioningError(
            "the deploy would fail:\n" + "\n".join(f"  {in_one_line(finding)}" for finding in errors),
            remedy=errors[0].instead,
        )


def in_one_line(finding: Finding) -> str:
    """A finding as one line of a log."""
    place = finding.place
    return f"{place.path}:{place.line}:{place.column}: {finding.severity} {finding.code} {finding.why}; instead: {finding.instead}"
