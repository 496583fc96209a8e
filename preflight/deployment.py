"""The one graph over all files: who whitelists, who aliases, who asks for which alias, with what kernel arguments."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from preflight import nova_conf
from preflight.client import DeployCommand, deploy_commands, match, shared_directories
from preflight.declared import Declared, read_declared
from preflight.entries import FlavorUse, PciEntry, Role, entries_of, entries_of_option, of_role
from preflight.file_set import FileSet
from preflight.filters import FilterList, filter_list_of_node, filter_list_of_option
from preflight.heat import resources
from preflight.nova_conf import ALL_SERVICES, CONTROL, Option
from preflight.releases import RELEASES, load_data
from preflight.shell_source import Script
from preflight.yaml_source import Node

WHITELIST_PARAMETERS = {"NovaPCIPassthrough"}
WHITELIST_HIERA_KEYS = {
    "nova::compute::pci_passthrough",
    "nova::compute::pci::passthrough",
    "nova::compute::pci::device_specs",
}
ALIAS_HIERA_KEYS = {"nova::api::pci_alias", "nova::pci::aliases"}
WHITELIST_OPTIONS = {"pci/passthrough_whitelist", "pci/device_spec", "DEFAULT/pci_passthrough_whitelist"}
ALIAS_OPTIONS = {"pci/alias", "DEFAULT/pci_alias"}
FILTER_PARAMETERS = {"NovaSchedulerDefaultFilters", "NovaSchedulerEnabledFilters"}
FILTER_HIERA_KEYS = {
    "nova::scheduler::filter::scheduler_default_filters",
    "nova::scheduler::filter::scheduler_enabled_filters",
}
SCHEDULER = "filter_scheduler"
FOR_ALL = {"openstack-ansible", "openstack-helm", "atmosphere", "devstack", "sunbeam", "kolla"}
"""Deployers whose settings for all services are in truth for all, not of a host that we cannot tell."""
SIDE_BY_SIDE = {"rhoso", "kolla", "kayobe"}
"""Deployers that keep the settings of API, scheduler and conductor in one place."""
REPLACING = {"kolla", "kayobe"}
"""Deployers where a service's own file replaces what the file for all services sets."""
FILTER_OPTIONS = {"filter_scheduler/enabled_filters", "DEFAULT/scheduler_default_filters"}
IOMMU_ARGUMENT = re.compile(r"\b(intel[-_]iommu(?==(?:\w+,)*on\b)|amd_iommu(?==(?:on|pt|force)))=")
HIERA_PARAMETER = re.compile(r"(?P<role>[A-Za-z0-9]*?)(?:ExtraConfig|extraconfig)\Z")
HIERA_ALIASES = {"controllerExtraConfig": "Controller", "NovaComputeExtraConfig": "Compute"}


@dataclass(frozen=True)
class Deployment:
    """Files of one deployment and the release that they are for."""

    files: FileSet
    release: str | None = None
    """None if unknown; then only what is wrong in every release is reported."""
    given_cpu_vendors: frozenset[str] = frozenset()
    """Vendors that the caller named: intel, amd."""

    @cached_property
    def declared(self) -> Declared | None:
        """Hosts and cards of the cloud file, when there is one among our files."""
        return read_declared(self.files.cloud_files[0]) if self.files.cloud_files else None

    @property
    def cpu_vendors(self) -> frozenset[str]:
        """Vendors of the GPU hosts' processors."""
        return self.given_cpu_vendors or (self.declared.cpu_vendors if self.declared else frozenset())

    def is_at_least(self, release: str) -> bool:
        """Whether the deployment's release is known and `release` or newer."""
        return self.release is not None and RELEASES.index(self.release) >= RELEASES.index(release)

    @cached_property
    def deploys(self) -> list[DeployCommand]:
        """Every `openstack overcloud deploy` of the scripts."""
        return deploy_commands(self.files)

    @cached_property
    def environments(self) -> list[Node]:
        """Environment files in the order in which they are merged; all of them when no script says which."""
        if len(self.deploys) == 1 and self.deploys[0].environments:
            given = self.deploys[0].environments
            return [*(item for item in self.files.environments if item not in given), *given]
        return self.files.environments

    @cached_property
    def parameters(self) -> list[tuple[Node, Node]]:
        """Every parameter that an environment file sets, later ones last: name and value."""
        return [
            pair
            for environment in self.environments
            for section in ("parameter_defaults", "parameters")
            if (block := environment.get(section))
            for pair in block.items()
        ]

    @cached_property
    def local_parameters(self) -> frozenset[str]:
        """Parameters that the deployment's own templates declare."""
        blocks = [template.get("parameters") for template in self.files.templates]
        return frozenset(key.text for block in blocks if block for key, _ in block.items())

    @cached_property
    def hiera(self) -> list[tuple[str | None, Node, Node]]:
        """Hiera data that environment files set: role (None: all), key, value."""
        found: list[tuple[str | None, Node, Node]] = []
        for name, value in self.parameters:
            if name.text in HIERA_ALIASES:
                role: str | None = HIERA_ALIASES[name.text]
            elif match := HIERA_PARAMETER.fullmatch(name.text):
                role = match["role"] or None
            else:
                continue
            found.extend((role, key, data) for key, data in value.items())
        return found

    @cached_property
    def resource_registry(self) -> list[tuple[Node, Node]]:
        """Every mapping of a resource type to a template."""
        blocks = [environment.get("resource_registry") for environment in self.environments]
        return [pair for block in blocks if block for pair in block.items()]

    @cached_property
    def roles(self) -> dict[str, Role]:
        """Roles of the roles files, by name; empty if there is none among our files."""
        found = {}
        for listed in self.files.roles:
            for element in listed.elements():
                name, services = element.get("name"), element.get("ServicesDefault")
                if name is not None:
                    taken = frozenset(service.text for service in services.elements()) if services else frozenset()
                    written = element.get("HostnameFormatDefault")
                    default = f"%stackname%-{name.text.lower()}-%index%"
                    found[name.text] = Role(name, taken, written.text if written else default)
        return found

    def roles_beside(self, path: Path) -> set[str]:
        """Roles of the roles file that goes with a file: the deploy command's, else the nearest directory's."""
        given = {
            found
            for deploy in self.deploys
            for name in deploy.command.options("-r", "--roles-file")
            if (found := match(name, [listed.path for listed in self.files.roles], deploy.command.location.path))
        }
        candidates = [listed for listed in self.files.roles if not given or listed.path in given]
        shared = {listed.path: shared_directories(listed.path, path) for listed in candidates}
        nearest = [listed for listed in candidates if shared[listed.path] == max(shared.values())]
        return {name.text for listed in nearest for item in listed.elements() if (name := item.get("name"))}

    def is_compute_role(self, name: str) -> bool:
        """Whether instances run on hosts of the role."""
        role = self.roles.get(name)
        return "OS::TripleO::Services::NovaCompute" in role.services if role else "compute" in name.lower()

    @cached_property
    def role_parameters(self) -> list[tuple[str | None, Node, Node]]:
        """Parameters with the role they are set for: parameter_defaults and <Role>Parameters."""
        found: list[tuple[str | None, Node, Node]] = []
        for name, value in self.parameters:
            if name.text.endswith("Parameters") and value.is_mapping and len(name.text) > len("Parameters"):
                role = name.text.removesuffix("Parameters")
                found.extend((role, inner, data) for inner, data in value.items())
            found.append((None, name, value))
        return found

    def value(self, parameter: str) -> Node | None:
        """The value that counts of a parameter for all roles."""
        found = [value for name, value in self.parameters if name.text == parameter]
        return found[-1] if found else None

    @cached_property
    def whitelist(self) -> list[PciEntry]:
        """Entries of the PCI whitelist (device_spec) in every form."""
        found: list[PciEntry] = []
        for role, name, value in self.role_parameters:
            if name.text in WHITELIST_PARAMETERS:
                found.extend(entries_of(value, role, None))
        for role, key, value in self.hiera:
            if key.text in WHITELIST_HIERA_KEYS:
                found.extend(entries_of(value, role, key.text))
        return [*found, *self._in_nova_conf(WHITELIST_OPTIONS)]

    @cached_property
    def aliases(self) -> list[PciEntry]:
        """PCI aliases in every form."""
        found = [
            entry
            for role, key, value in self.hiera
            if key.text in ALIAS_HIERA_KEYS
            for entry in entries_of(value, role, key.text)
        ]
        return [*found, *self._in_nova_conf(ALIAS_OPTIONS)]

    @cached_property
    def nova_options(self) -> list[Option]:
        """Options of nova.conf wherever they are set: the one list that the rules of all deployers work on."""
        hiera = (option for role, key, value in self.hiera for option in nova_conf.of_hiera(key, value, of_role(role)))
        return [*_in_force(self.files.settings), *hiera]

    def _in_nova_conf(self, names: set[str]) -> Iterator[PciEntry]:
        for option in self.nova_options:
            if option.name in names and not option.is_template:
                yield from entries_of_option(option)

    @cached_property
    def filter_lists(self) -> list[FilterList]:
        """Every list of scheduler filters."""
        named = [(role, name, value) for role, name, value in self.role_parameters if name.text in FILTER_PARAMETERS]
        named += [(role, key, value) for role, key, value in self.hiera if key.text in FILTER_HIERA_KEYS]
        options = [option for option in self.nova_options if option.name in FILTER_OPTIONS and not option.is_template]
        return [
            *(filter_list_of_node(name, value, of_role(role)) for role, name, value in named),
            *(filter_list_of_option(option) for option in options),
        ]

    @cached_property
    def oldest_release(self) -> str | None:
        """The release, or the oldest that reads the options that are set; None if any may."""
        if self.release is not None:
            return self.release
        sections = load_data("nova_conf_options.yaml")["sections"]
        names = (option.name.partition("/") for option in self.nova_options)
        spans = [sections.get(section, {}).get(name) for section, _, name in names if section in ("pci", SCHEDULER)]
        return max((span[0] for span in spans if span), key=RELEASES.index, default=None)

    @cached_property
    def named_services(self) -> frozenset[str]:
        """Services whose own settings are among our files, by the names of files, keys and groups."""
        scopes = [option.scope for option in self.nova_options] + [entry.scope for entry in self.aliases]
        named = [scope.services for scope in scopes if scope.services != ALL_SERVICES or scope.dialect in FOR_ALL]
        # who has the file of one service of the control plane among ours has them all, or nothing in the others
        whole = [CONTROL for scope in scopes if scope.dialect in SIDE_BY_SIDE and scope.services & CONTROL]
        return frozenset().union(*named, *whole)

    @cached_property
    def knows_the_scheduler(self) -> bool:
        """Whether the scheduler's settings would stand in our files: a lone nova.conf may be any host's."""
        if not self.whitelist or not self.aliases:
            return False
        environments = {environment.path for environment in self.files.environments}
        if all(
            any(entry.node.location.path in environments for entry in entries)
            for entries in (self.whitelist, self.aliases)
        ):
            return True
        return bool(self.named_services & {"scheduler", "api"})

    def has_templates(self, names: set[str]) -> bool:
        """Whether one of these options has a value that only a renderer knows."""
        return any(option.name in names and option.is_template for option in self.nova_options)

    @cached_property
    def flavor_uses(self) -> list[FlavorUse]:
        """Flavors with a PCI alias, from Heat templates and from scripts."""
        return [*self._heat_flavors(), *self._command_flavors()]

    def _heat_flavors(self) -> Iterator[FlavorUse]:
        for template in self.files.templates:
            for name, resource in resources(template):
                specs = resource.find("properties", "extra_specs")
                for key, value in specs.items() if specs else ():
                    if key.text == "pci_passthrough:alias" and value.is_scalar:
                        flavor = resource.find("properties", "name")
                        ram = resource.find("properties", "ram")
                        yield FlavorUse(
                            value.location,
                            flavor.text if flavor else name.text,
                            value.text,
                            _whole(ram.text if ram else None),
                        )

    def _command_flavors(self) -> Iterator[FlavorUse]:
        for command in self.files.commands:
            if not (command.runs("openstack", "flavor", "set") or command.runs("openstack", "flavor", "create")):
                continue
            for setting in command.options("--property"):
                key, _, value = setting.partition("=")
                if key.strip("\"'") == "pci_passthrough:alias":
                    yield FlavorUse(
                        command.location, command.words[-1], value.strip("\"'"), _whole(command.option("--ram"))
                    )

    @cached_property
    def image_names(self) -> frozenset[str]:
        """Images that scripts upload and that servers boot from."""
        uploaded = {
            command.words[-1] for command in self.files.commands if command.runs("openstack", "image", "create")
        }
        booted = {
            image.text
            for template in self.files.templates
            for _, resource in resources(template)
            if (image := resource.find("properties", "image")) is not None and image.is_scalar
        }
        return frozenset(uploaded | booted)

    @cached_property
    def gives_gpus(self) -> bool:
        """Whether the TripleO part of these files means to pass NVIDIA GPUs through."""
        return any(entry.is_gpu for entry in [*self.whitelist, *self.aliases])

    @cached_property
    def first_boot_scripts(self) -> list[Script]:
        """Scripts of the templates that NodeUserData is mapped to (or that look like it)."""
        targets = {
            value.text.rsplit("/", 1)[-1]
            for key, value in self.resource_registry
            if key.text.startswith("OS::TripleO::") and key.text.endswith("NodeUserData")
        }
        return [script for script in self.files.embedded_scripts if script.path.name in targets]

    @cached_property
    def kernel_arguments(self) -> list[tuple[str | None, Node]]:
        """Values of KernelArgs with the role they are set for, and of what other deployers have instead."""
        found: list[tuple[str | None, Node]] = [(None, node) for node in self.files.kernel_arguments]
        for role, name, value in self.role_parameters:
            if name.text == "KernelArgs":
                found.append((role, value))
            elif name.text.endswith("KernelArgs"):
                found.append((name.text.removesuffix("KernelArgs"), value))
        return found


def _in_force(options: Sequence[Option]) -> Iterator[Option]:
    """kolla merges nova.conf and SERVICE.conf option by option: what the second sets, the first sets in vain."""
    special: dict[tuple[str, str], frozenset[str]] = {}
    for option in options:
        scope = option.scope
        if scope.dialect in REPLACING and scope.services != ALL_SERVICES and scope.where is None:
            key = (scope.dialect, option.name)
            special[key] = special.get(key, frozenset()) | scope.services
    for option in options:
        scope = option.scope
        taken = special.get((scope.dialect, option.name), frozenset())
        if taken and scope.services == ALL_SERVICES and scope.where is None:
            option = replace(option, scope=replace(scope, services=scope.services - taken))
        if option.scope.services:
            yield option


def _whole(text: str | None) -> int | None:
    return int(text) if text and re.fullmatch(r"[0-9]{1,12}", text) else None
