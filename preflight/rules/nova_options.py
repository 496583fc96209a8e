"""Options of nova.conf: does the release read the name, is the value what Nova takes?"""

from __future__ import annotations

import json
from collections.abc import Iterator

from preflight.deployment import Deployment
from preflight.finding import Finding, Rule, Severity
from preflight.nova_conf import Option
from preflight.releases import Lifetime, load_data

CONFIG = "https://docs.openstack.org/nova/latest/configuration/config.html#pci"
UNREAD_OPTION = Rule("GP225", "An option that no release of Nova reads under this name", Severity.ERROR, "nowhere: oslo.config ignores options that it does not know; 'No valid host was found' at the first GPU instance", CONFIG)  # fmt: skip
NEWER_OPTION = Rule("GP226", "An option that came after this release", Severity.ERROR, "nowhere: oslo.config ignores options that it does not know", CONFIG)  # fmt: skip
NOT_JSON = Rule("GP227", "A PCI option whose value is not JSON", Severity.ERROR, "nova-compute or nova-api: 'Invalid PCI alias definition', or the whitelist cannot be parsed", CONFIG)  # fmt: skip
ALIAS_LIST = Rule("GP228", "A list where Nova wants one alias a line", Severity.ERROR, "at the first GPU instance: 'Invalid PCI alias definition: … is not of type object'", CONFIG)  # fmt: skip
DEVNAME_IN_PLACEMENT = Rule("GP229", "devname in a device_spec that is reported to Placement", Severity.ERROR, "nova-compute does not start: 'PlacementPciException … devname'", "https://docs.openstack.org/nova/latest/admin/pci-passthrough.html#pci-tracking-in-placement")  # fmt: skip
HALF_PLACEMENT = Rule("GP230", "pci_in_placement without report_in_placement", Severity.ERROR, "at the first GPU instance: 'No valid host was found', Placement knows no card", "https://docs.openstack.org/nova/latest/admin/pci-passthrough.html#pci-tracking-in-placement")  # fmt: skip
NO_ROOT_PORTS = Rule("GP231", "No PCI Express ports for cards that are attached later", Severity.WARNING, "with q35 the second card cannot be attached: 'No more available PCI slots'", "https://docs.openstack.org/nova/latest/configuration/config.html#libvirt.num_pcie_ports")  # fmt: skip
RULES = (UNREAD_OPTION, NEWER_OPTION, NOT_JSON, ALIAS_LIST, DEVNAME_IN_PLACEMENT, HALF_PLACEMENT, NO_ROOT_PORTS)
ALIAS_OPTIONS = {"pci/alias", "DEFAULT/pci_alias"}
SPEC_OPTIONS = {"pci/passthrough_whitelist", "pci/device_spec", "DEFAULT/pci_passthrough_whitelist"}
YES = ("true", "1", "yes", "on")


def check(deployment: Deployment) -> Iterator[Finding]:
    """Findings of this concern."""
    for option in deployment.nova_options:
        yield from _name(deployment, option)
        if option.name in ALIAS_OPTIONS | SPEC_OPTIONS:
            yield from _value(option)
    yield from _placement(deployment.nova_options)
    for _, name, value in deployment.role_parameters:
        if name.text == "NovaLibvirtNumPciePorts" and value.text == "0" and deployment.gives_gpus:
            yield NO_ROOT_PORTS.at(
                value.place, f"{name.text}: 0", "libvirt then makes one port only", f"{name.text}: 16"
            )
    for option in deployment.nova_options:
        if option.name == "libvirt/num_pcie_ports" and option.value == "0" and deployment.gives_gpus:
            yield NO_ROOT_PORTS.at(option.place, "num_pcie_ports = 0", "libvirt then makes one port only", "num_pcie_ports = 16")  # fmt: skip


def _name(deployment: Deployment, option: Option) -> Iterator[Finding]:
    entry = load_data("nova_options.yaml").get(option.name)
    if entry is None:
        return
    if "newer" in entry:
        if deployment.release:
            yield NEWER_OPTION.at(option.place, option.name, f"Nova has it from {entry['newer']} on", entry["instead"])
    elif entry["span"] is None:
        yield UNREAD_OPTION.at(option.place, option.name, "Nova reads no such option in this section", entry["instead"])
    elif not Lifetime(*entry["span"]).covers(deployment.release):
        yield UNREAD_OPTION.at(
            option.place,
            option.name,
            f"Nova of {str(deployment.release).title()} does not read it yet",
            entry["instead"],
        )


def _value(option: Option) -> Iterator[Finding]:
    if not option.value or "%{" in option.value or "{{" in option.value:
        return
    try:
        value = json.loads(option.value)
    except ValueError as error:
        yield NOT_JSON.at(option.place, option.value, f"not JSON: {error}", "keys and values in double quotes, no comma at the end")  # fmt: skip
        return
    if isinstance(value, list) and option.name in ALIAS_OPTIONS:
        yield ALIAS_LIST.at(option.place, option.value, "alias may be given several times, each with one JSON object", "one `alias = {…}` line for each")  # fmt: skip


def _placement(options: list[Option]) -> Iterator[Finding]:
    reported = [
        option for option in options if option.name == "pci/report_in_placement" and option.value.lower() in YES
    ]
    for option in options:
        if option.name in SPEC_OPTIONS and '"devname"' in option.value and reported:
            yield DEVNAME_IN_PLACEMENT.at(option.place, option.value, "Placement tracks cards by address, a device name is refused", "name vendor_id and product_id, or address")  # fmt: skip
        if option.name == "filter_scheduler/pci_in_placement" and option.value.lower() in YES and not reported:
            yield HALF_PLACEMENT.at(option.place, "pci_in_placement = true", "no nova-compute reports its cards there; the scheduler, API and conductor need the option, too", "first [pci] report_in_placement = true on every compute, then this one in API, scheduler and conductor")  # fmt: skip
