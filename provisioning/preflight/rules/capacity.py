"""Quota and flavor, deadline and what is installed in it."""

from __future__ import annotations

from collections.abc import Iterator

from provisioning.preflight.deployment import Deployment, resources
from provisioning.preflight.finding import Finding, Place, Rule, Severity

QUOTA_BELOW_FLAVOR = Rule("GP801", "The quota is smaller than one instance of the flavor", Severity.ERROR, "at the first instance: 403, 'Quota exceeded for cores / ram'", "https://docs.openstack.org/nova/latest/admin/quotas.html")  # fmt: skip
SHORT_DEADLINE = Rule("GP802", "The wait condition ends before CUDA can be installed", Severity.ERROR, "CREATE_FAILED: 'WaitConditionTimeout' while the packages are still installed", "https://docs.openstack.org/heat/latest/template_guide/openstack.html#OS::Heat::WaitCondition")  # fmt: skip
SHORT_DEPLOY = Rule("GP803", "The deploy's time limit is shorter than a deploy takes", Severity.WARNING, "the deploy is cut off: 'Stack overcloud CREATE_FAILED, timed out'", "https://docs.openstack.org/project-deploy-guide/tripleo-docs/latest/deployment/install_overcloud.html")  # fmt: skip
RULES = (QUOTA_BELOW_FLAVOR, SHORT_DEADLINE, SHORT_DEPLOY)
CUDA_INSTALL_S = 600
"""Driver, toolkit and samples took longer than this on every machine that we saw."""
DEPLOY_MINUTES = 30
QUOTA_OPTIONS = {"--cores": "vcpus", "--ram": "ram"}


def check(deployment: Deployment) -> Iterator[Finding]:
    """Findings of this concern."""
    flavors = list(_flavors(deployment))
    for place, quota in _quotas(deployment):
        for key, limit in quota.items():
            name, need = max(
                ((name, size.get(key, 0)) for name, size in flavors),
                key=lambda pair: pair[1],
                default=("", 0),
            )
            if 0 <= limit < need:
                yield QUOTA_BELOW_FLAVOR.at(place, f"{key}: {limit}", f"flavor {name} needs {need}", f"at least {need}")
    yield from _deadlines(deployment)
    for command in deployment.files.commands:
        limit_text = command.option("--timeout", "-t") if command.runs("overcloud", "deploy") else None
        if limit_text and limit_text.isdigit() and int(limit_text) < DEPLOY_MINUTES:
            yield SHORT_DEPLOY.at(
                command.place, f"--timeout {limit_text}", "the unit is minutes", "--timeout 90 or more"
            )


def _number(text: str | None) -> int | None:
    return int(text) if text and text.lstrip("-").isdigit() else None


def _flavors(deployment: Deployment) -> Iterator[tuple[str, dict[str, int]]]:
    gpu_flavors = {use.name for use in deployment.flavor_uses}
    for template in deployment.files.templates:
        for name, resource in resources(template):
            kind = resource.get("type")
            if kind is None or kind.text != "OS::Nova::Flavor":
                continue
            sizes = {key: _number(node.text) for key in ("vcpus", "ram") if (node := resource.find("properties", key))}
            yield name.text, {key: size for key, size in sizes.items() if size is not None}
    for command in deployment.files.commands:
        if command.runs("openstack", "flavor", "create") and (not gpu_flavors or command.words[-1] in gpu_flavors):
            sizes = {"vcpus": _number(command.option("--vcpus")), "ram": _number(command.option("--ram"))}
            yield command.words[-1], {key: size for key, size in sizes.items() if size is not None}


def _quotas(deployment: Deployment) -> Iterator[tuple[Place, dict[str, int]]]:
    for command in deployment.files.commands:
        if command.runs("openstack", "quota", "set"):
            limits = {key: _number(command.option(option)) for option, key in QUOTA_OPTIONS.items()}
            yield command.place, {key: limit for key, limit in limits.items() if limit is not None}
    for template in deployment.files.templates:
        for name, resource in resources(template):
            kind = resource.get("type")
            if kind is not None and kind.text == "OS::Nova::Quota":
                limits = {
                    ours: _number(node.text)
                    for theirs, ours in (("cores", "vcpus"), ("ram", "ram"))
                    if (node := resource.find("properties", theirs))
                }
                yield name.place, {key: limit for key, limit in limits.items() if limit is not None}


def _deadlines(deployment: Deployment) -> Iterator[Finding]:
    for template in deployment.files.templates:
        text = deployment.files.texts[template.path]
        for _, resource in resources(template):
            kind, timeout = resource.get("type"), resource.find("properties", "timeout")
            if kind is None or kind.text != "OS::Heat::WaitCondition" or timeout is None:
                continue
            seconds = _number(timeout.text)
            if seconds is not None and seconds < CUDA_INSTALL_S and "cuda" in text:
                yield SHORT_DEADLINE.at(
                    timeout.place,
                    f"timeout: {seconds}",
                    "driver and CUDA take longer than that to install",
                    "timeout: 3600",
                )
