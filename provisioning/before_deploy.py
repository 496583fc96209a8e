"""Preflight of a cloud file: what we would deploy for it, rendered and read before anything is touched."""

from __future__ import annotations

from pathlib import Path

import yaml

from access.errors import ProvisioningError
from access.progress import Progress
from cloud_file.cloud import Cloud
from preflight.cli import inspect
from preflight.file_set import FileSet
from preflight.finding import Finding, Severity
from provisioning.tripleo.written import write_deployment


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
    place = finding.location
    return (
        f"{place.path}:{place.line}:{place.column}: {finding.severity} {finding.code} {finding.why}; "
        f"instead: {finding.instead}"
    )
