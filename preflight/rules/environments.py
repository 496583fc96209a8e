"""Environment files: are they read at all, and does the release know what they set?"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from pathlib import Path

from preflight.catalogue import rule
from preflight.deployment import Deployment
from preflight.finding import Finding, Replacement
from preflight.releases import TRIPLEO_RELEASES, Lifetime, load_data, nearest_parameter, parameter_lifetimes
from preflight.yaml_source import Node

OTHER_RELEASE_ELSEWHERE = rule("GP108")
READ_FROM_ROLE = {"KernelArgs", "TunedProfileName", "IsolCpusList"}
"""Templates take them out of <Role>Parameters without declaring them, from Pike on."""
GPU_PARAMETERS = re.compile(
    r"Nova(?:PCI|Pci|Scheduler|Reserved|Compute|Libvirt|VGPU)|.*KernelArgs|.*ExtraConfig|.*Parameters"
)
FIRST, LAST = TRIPLEO_RELEASES[0], TRIPLEO_RELEASES[-1]
OF_A_ROLE = re.compile(r"(?:ExtraConfig|Parameters|KernelArgs|Count|HostnameFormat|Flavor|Image|Ips|Services)\Z")
"""Names that begin with a role's: the role may be one of the user's own, spelled almost like another."""
OLD_PUPPET = rule("GP115")
FIXED_PUPPET = re.compile(r"upload-puppet-modules|DeployArtifactURLs|puppet-modules-url")
UNREADABLE = rule("GP101")
DUPLICATE_KEY = rule("GP103")
UNKNOWN_PARAMETER = rule("GP104")
OTHER_RELEASE = rule("GP105")
HIERA_OTHER_RELEASE = rule("GP106")
MISSING_TARGET = rule("GP107")
RULES = (
    UNREADABLE,
    DUPLICATE_KEY,
    UNKNOWN_PARAMETER,
    OTHER_RELEASE,
    HIERA_OTHER_RELEASE,
    MISSING_TARGET,
    OTHER_RELEASE_ELSEWHERE,
    OLD_PUPPET,
)


def check(deployment: Deployment) -> Iterator[Finding]:
    """Findings of this concern."""
    for bad in deployment.files.unreadable:
        yield UNREADABLE.at(bad.location, "", bad.reason, "correct the syntax at this position")
    yield from _duplicate_keys(deployment)
    yield from _parameters(deployment)
    yield from _hiera_keys(deployment)
    yield from _registry(deployment)
    yield from _puppet(deployment)


def _duplicate_keys(deployment: Deployment) -> Iterator[Finding]:
    files = deployment.files
    for root in [*files.environments, *files.templates, *files.roles]:
        for node in root.nodes:
            if not node.repeats_a_key:
                continue
            seen: dict[str, Node] = {}
            values: dict[str, Node] = {}
            for key, value in node.items():
                if key.text in seen and key.text != "<<" and not _same(values[key.text], value):
                    yield DUPLICATE_KEY.at(
                        key.location,
                        key.text,
                        f"'{key.text}' stands in line {seen[key.text].location.line} already; only this one counts",
                        "put both blocks together under one key",
                    )
                seen[key.text] = key
                values[key.text] = value


def _same(one: Node, other: Node) -> bool:
    return one.is_scalar and other.is_scalar and one.text == other.text


def _parameters(deployment: Deployment) -> Iterator[Finding]:
    local = deployment.local_parameters
    for role, name, _ in deployment.role_parameters:
        if name.text in local or not name.text or (role is not None and name.text in READ_FROM_ROLE):
            continue
        lifetimes = parameter_lifetimes(name.text)
        if not lifetimes:
            yield from _unknown(deployment, name)
        elif deployment.release in TRIPLEO_RELEASES and not any(span.covers(deployment.release) for span in lifetimes):
            yield _from_other_release(deployment.release, name, lifetimes)


def _unknown(deployment: Deployment, name: Node) -> Iterator[Finding]:
    nearest = nearest_parameter(name.text)
    if nearest is None:
        return  # a parameter of the user's own or of a vendor's templates: not ours to judge
    yield UNKNOWN_PARAMETER.at(
        name.location,
        name.text,
        f"no TripleO release from {FIRST.title()} to {LAST.title()} declares '{name.text}'",
        f"did you mean {nearest}?",
        Replacement(name.text, nearest) if _may_be_renamed(deployment, name, nearest) else None,
    )


def _may_be_renamed(deployment: Deployment, name: Node, nearest: str) -> bool:
    """Whether renaming only fixes: nothing else sets the right name, and no role is guessed."""
    names = [other.text for _, other, _ in deployment.role_parameters]
    same = [other for other in names if other == nearest or nearest_parameter(other) == nearest]
    return same == [name.text] and not OF_A_ROLE.search(nearest)


def _from_other_release(release: str, name: Node, lifetimes: list[Lifetime]) -> Finding:
    spans = ", ".join(f"{span.first.title()} to {span.last.title()}" for span in lifetimes)
    successors = load_data("renamed.yaml")["parameters"].get(name.text, {})
    instead = next((text for known, text in successors.items() if release in known.split()), None)
    rule = OTHER_RELEASE if GPU_PARAMETERS.match(name.text) else OTHER_RELEASE_ELSEWHERE
    return rule.at(
        name.location,
        name.text,
        f"{release.title()} does not declare '{name.text}' (declared in: {spans})",
        instead or f"leave it out, or deploy a release that has it ({spans})",
    )


def _hiera_keys(deployment: Deployment) -> Iterator[Finding]:
    known = load_data("renamed.yaml")["hiera_keys"]
    for _, key, _ in deployment.hiera:
        entry = known.get(key.text)
        if entry is None:
            near = difflib.get_close_matches(key.text, known, n=1, cutoff=0.9) if "pci" in key.text else []
            if near:
                yield HIERA_OTHER_RELEASE.at(
                    key.location, key.text, "no puppet-nova release reads this key", f"did you mean {near[0]}?"
                )
            continue
        if deployment.release in TRIPLEO_RELEASES and not Lifetime(*entry["span"]).covers(deployment.release):
            yield HIERA_OTHER_RELEASE.at(
                key.location,
                key.text,
                f"puppet-nova of {str(deployment.release).title()} does not read '{key.text}' "
                f"(read from {entry['span'][0].title()} to {entry['span'][1].title()})",
                entry["instead"],
            )


def _puppet(deployment: Deployment) -> Iterator[Finding]:
    """Newton's and Ocata's packages were made before the three fixes; the deploy must bring the module along."""
    keys = [key for _, key, _ in deployment.hiera if key.text in ("nova::pci::aliases", "nova::api::pci_alias")]
    several = len({alias.text("name") for alias in deployment.aliases}) > 1
    if deployment.release not in ("newton", "ocata") or not deployment.deploys or not keys:
        return
    texts = [script.text for script in deployment.files.scripts] + [name.text for name, _ in deployment.parameters]
    if (several or keys[0].text == "nova::pci::aliases") and not any(FIXED_PUPPET.search(text) for text in texts):
        yield OLD_PUPPET.at(
            keys[0].location,
            keys[0].text,
            "puppet-nova before 10.5 joins several aliases into one value and knows none on computes",
            f"upload-puppet-modules -d DIRECTORY with puppet-nova of stable/{deployment.release}, before the deploy"
            if deployment.release == "ocata"
            else "one alias, or a puppet-nova of stable/ocata by upload-puppet-modules -d DIRECTORY before the deploy",
        )


def _registry(deployment: Deployment) -> Iterator[Finding]:
    names = {path.name for path in deployment.files.texts}
    for _, value in deployment.resource_registry:
        target = value.text
        if not value.is_scalar or "://" in target or target.startswith("OS::") or not target.endswith(".yaml"):
            continue
        if target.startswith("/") or "{" in target or (value.path.parent / target).exists():
            continue
        if _is_inside(deployment, value) and not _is_rendered(value.path.parent / target):
            found = "; a file of that name is elsewhere" if Path(target).name in names else ""
            yield MISSING_TARGET.at(
                value.location,
                target,
                f"relative paths start at the environment file's own directory, {value.path.parent}{found}",
                "correct the path, relative to this file",
            )


def _is_rendered(target: Path) -> bool:
    """Whether the deploy makes the file: its folder holds Jinja templates."""
    return any(target.parent.glob("*.j2.yaml"))


def _is_inside(deployment: Deployment, value: Node) -> bool:
    """Whether the target's directory is among what we were given; what is outside we cannot see."""
    target = (value.path.parent / value.text).resolve()
    inside = any(root.is_dir() and target.is_relative_to(root.resolve()) for root in deployment.files.roots)
    return inside and target.parent.is_dir() and target.parent != value.path.parent.resolve()
