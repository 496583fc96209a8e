"""First-boot and deploy scripts: what they do to hosts, and whether anything applies the kernel arguments."""

from __future__ import annotations

import re
from collections.abc import Iterator

from preflight.catalogue import rule
from preflight.deployment import Deployment
from preflight.finding import Finding
from preflight.releases import RELEASES
from preflight.rules.kernel_arguments import BOOT_WORK, HOST_NAME
from preflight.shell_source import Script
from probes.references import NVIDIA_VENDOR_ID

NOT_APPLIED = rule("GP408")
OTHER_ROLE = rule("GP409")
REMOVED_MODULE = rule("GP410")
LOST_BY_UPDATE = rule("GP411")
NOT_THE_CONTAINERS = rule("GP412")
HOST_NAME_TEST = rule("GP403")
NO_SUCH_HOST_NAME = rule("GP413")
VFIO_ALONE = rule("GP415")
OTHER_CARD_BOUND = rule("GP416")
RULES = (
    NOT_APPLIED,
    OTHER_ROLE,
    REMOVED_MODULE,
    LOST_BY_UPDATE,
    NOT_THE_CONTAINERS,
    HOST_NAME_TEST,
    NO_SUCH_HOST_NAME,
    VFIO_ALONE,
    OTHER_CARD_BOUND,
)
APPLIED_ON_REQUEST = RELEASES[RELEASES.index("ocata") : RELEASES.index("stein")]
"""From Stein on the default roles have the service BootParams; before that an environment file must be given."""
HOST_CONFIG = re.compile(r"host-config-and-reboot|host-config-pre-network|PreNetworkConfig|BootParams")
VIRQFD = re.compile(
    r"(?:add_drivers|force_drivers|modules-load|modprobe|>>?\s*/etc/modules).*\bvfio_virqfd"
    r"|vfio_virqfd.*(?:/etc/modules|dracut)"
)
GRUBBY = re.compile(r"\bgrubby\b.*--args")
UPDATE = re.compile(r"\b(?:yum|dnf)\s+(?:-\S+\s+)*(?:update|upgrade)(?:\s+-\S+)*(?:\s+kernel\S*)?\s*(?:$|[;&|])")
REBOOT = re.compile(r"\breboot\b|shutdown\s+-r")
NOVA_CONF = re.compile(
    r"(?:sed\s+-i|crudini\s+--set|openstack-config\s+--set|\btee\b|>)[^\n]*?(?<![\w-])/etc/nova/nova\.conf"
)
DRACUT_VFIO = re.compile(r"(?:add_drivers|force_drivers)\+?=.*vfio[-_]pci")
VARIABLE = re.compile(r"\$\{?(?P<name>\w+)")
ASSIGNMENT = re.compile(r"(?:^|[\s;])(?P<name>[A-Za-z_]\w*)=(?P<value>\"[^\"]*\"|'[^']*'|[^\s;]*)")
VFIO_IDS = re.compile(r"vfio-pci\.ids=(?P<ids>[0-9a-fA-F:,]+)")


def check(deployment: Deployment) -> Iterator[Finding]:
    """Findings of this concern."""
    yield from _applied(deployment)
    yield from _roles(deployment)
    yield from _bound(deployment)
    for script in deployment.files.scripts:
        yield from _modules(script)
        yield from _update(script)
        yield from _host_names(deployment, script)
        if script.in_template and deployment.is_at_least("queens"):
            for location, found in script.search(NOVA_CONF):
                yield NOT_THE_CONTAINERS.at(
                    location,
                    found[0],
                    f"Nova of {str(deployment.release).title()} runs in containers with a configuration of their own",
                    "set it by a parameter, or by nova::config::nova_config in ExtraConfig",
                )


def _applied(deployment: Deployment) -> Iterator[Finding]:
    """Only if the deploy command is among the files is it known that nothing is given to it."""
    if deployment.release not in APPLIED_ON_REQUEST or len(deployment.deploys) != 1:
        return
    given = deployment.deploys[0].command.text + " ".join(key.text for key, _ in deployment.resource_registry)
    services = " ".join(service for role in deployment.roles.values() for service in role.services)
    if HOST_CONFIG.search(given + services):
        return
    for _, node in deployment.kernel_arguments:
        name = "host-config-pre-network" if deployment.release == "ocata" else "host-config-and-reboot"
        yield NOT_APPLIED.at(
            node.location,
            node.text,
            f"in {deployment.release.title()} only environments/{name}.yaml applies it",
            f"add -e /usr/share/openstack-tripleo-heat-templates/environments/{name}.yaml to the deploy command",
        )


def _roles(deployment: Deployment) -> Iterator[Finding]:
    whitelisted = {entry.role for entry in deployment.whitelist if entry.is_gpu}
    set_for = {role for role, _ in deployment.kernel_arguments}
    if None in whitelisted or None in set_for or not whitelisted or not set_for:
        return
    for entry in deployment.whitelist:
        if entry.is_gpu and entry.role not in set_for:
            yield OTHER_ROLE.at(
                entry.node.location,
                f"{entry.role}Parameters",
                f"KernelArgs is set for {', '.join(sorted(map(str, set_for)))}",
                f"set KernelArgs in {entry.role}Parameters, too",
            )


def _bound(deployment: Deployment) -> Iterator[Finding]:
    cards = {entry.id("product_id") for entry in deployment.whitelist if entry.is_gpu}
    if not cards or None in cards or "*" in cards:
        return
    for _, node in deployment.kernel_arguments:
        for found in VFIO_IDS.finditer(node.text):
            ids = [pair.lower().split(":") for pair in found["ids"].split(",") if ":" in pair]
            bound = {pair[1] for pair in ids if pair[0] == NVIDIA_VENDOR_ID}
            if bound and not bound & cards:
                yield OTHER_CARD_BOUND.at(
                    node.location,
                    found[0],
                    f"whitelisted is {NVIDIA_VENDOR_ID}:{f', {NVIDIA_VENDOR_ID}:'.join(sorted(map(str, cards)))}",
                    f"vfio-pci.ids={NVIDIA_VENDOR_ID}:{min(map(str, cards))}",
                )


def _modules(script: Script) -> Iterator[Finding]:
    for location, found in script.search(VIRQFD):
        yield REMOVED_MODULE.at(
            location,
            found[0],
            "vfio_virqfd is no module of its own from Linux 6.2 (RHEL 9.3) on",
            "leave vfio_virqfd out",
        )
    for location, found in script.search(DRACUT_VFIO):
        if "vfio_iommu_type1" in found.string:
            continue
        yield VFIO_ALONE.at(
            location,
            found[0],
            "vfio-pci needs it when it takes the cards at boot",
            'add_drivers+=" vfio vfio_iommu_type1 vfio-pci "',
        )


def _update(script: Script) -> Iterator[Finding]:
    armed = False
    for index, line in enumerate(script.lines):
        if line.lstrip().startswith("#"):
            continue
        found = UPDATE.search(line)
        if found and armed:
            yield LOST_BY_UPDATE.at(
                script.location(index, found.start() + 1),
                found[0],
                "a kernel that comes with the update has no entry with these arguments",
                "update and reboot first, then grubby",
            )
        armed = (armed or bool(GRUBBY.search(line))) and not REBOOT.search(line)


def _host_names(deployment: Deployment, script: Script) -> Iterator[Finding]:
    if not script.in_template or not BOOT_WORK.search(script.text):
        return
    names = _compute_host_names(deployment)
    for location, found in script.search(HOST_NAME):
        word = _literal(script, (found["word"] or found["test"] or "").strip("\"'*^."))
        if word is None:
            continue  # a name that is made while the script runs, as a rule from the role's own format
        word = word.strip("\"'*^$.")
        if names and word and not any(word in name for name in names):
            rule, why = NO_SUCH_HOST_NAME, f"the computes will be called {', '.join(sorted(names))}"
        else:
            rule = HOST_NAME_TEST
            why = f"roles and host names can be changed; a GPU host without '{word}' in its name is left out"
        yield rule.at(
            location,
            found[0],
            why,
            "map NodeUserData for the role only (OS::TripleO::<Role>::NodeUserData), or test for the GPU itself",
        )


def _literal(script: Script, word: str) -> str | None:
    """What a word of the script stands for; None if only the running script knows."""
    variable = VARIABLE.match(word)
    if variable is None:
        return None if "$(" in word or "`" in word else word
    values = {found["value"] for _, found in script.search(ASSIGNMENT) if found["name"] == variable["name"]}
    value = values.pop() if len(values) == 1 else "$"
    return None if "$" in value or "`" in value else value


def _compute_host_names(deployment: Deployment) -> set[str]:
    """Host names of the compute roles: HostnameMap, <Role>HostnameFormat, the roles file, TripleO's default."""
    names: set[str] = set()
    mapping = deployment.value("HostnameMap")
    for role in deployment.roles or ("Compute",):
        if not deployment.is_compute_role(role):
            continue
        mapped = (
            [value.text for key, value in mapping.items() if f"-{role.lower()}-" in key.text.lower()] if mapping else []
        )
        template = deployment.value(f"{role}HostnameFormat")
        default = (
            deployment.roles[role].hostname_format if role in deployment.roles else "%stackname%-novacompute-%index%"
        )
        names.update(mapped or [template.text if template is not None and template.text else default])
    return names
