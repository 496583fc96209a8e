"""nova.conf as the deployers' own templates write it is read as the installed Nova reads it.

The templates are not part of this repository: DEPLOYER_TEMPLATES names a folder with checkouts of kolla-ansible,
edpm-ansible and openstack-ansible-os_nova, at whatever version. Without it the layouts of the lab stand for them
(tests/lab/services/test_deployed.py): files of the same form, written by hand.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml

from access.errors import ParseError
from cloud_file.deployer import load_deployer, recognised
from probes import nova_conf
from probes.nova_conf import NovaConf

VARIABLE = "DEPLOYER_TEMPLATES"
FOLDER = Path(os.environ.get(VARIABLE, "/nonexistent"))
PYTHON = Path(__file__).parents[2] / ".lab" / "cache" / "openstack" / "bin" / "python"
NOVA = """
import json, sys
from nova.conf import CONF
CONF([word for file in sys.argv[1:] for word in ("--config-file", file)], project="nova")
pci, scheduler = CONF.pci, CONF.filter_scheduler
print(json.dumps([pci.alias, pci.device_spec, scheduler.enabled_filters, pci.report_in_placement]))
"""
CARD = {"vendor_id": "10de", "product_id": "2331"}
ALIAS = {"name": "h100", **CARD, "device_type": "type-PF"}
FILTERS = ["ComputeFilter", "NUMATopologyFilter", "PciPassthroughFilter"]


class Plain(jinja2.Undefined):
    """A variable that nobody set: a word where it is printed, off where it is asked, and has whatever is asked for."""

    is_on = False

    def _plain(self, *_: Any, **__: Any) -> Any:
        return type(self)(name="plain")

    __getattr__ = __call__ = __getitem__ = __add__ = __radd__ = _plain  # type: ignore[assignment]

    def __str__(self) -> str:
        return "plain"

    def __bool__(self) -> bool:
        return self.is_on

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def __len__(self) -> int:
        return 0

    def __eq__(self, other: object) -> bool:
        return False

    def __hash__(self) -> int:
        return 0


class PlainOn(Plain):
    """The same with every switch on."""

    is_on = True


def _rendered(path: Path, kind: type[Plain], variables: dict[str, Any]) -> str:
    """A template of Ansible, with what it uses of Ansible's filters."""
    environment = jinja2.Environment(  # noqa: S701  as Ansible does: no HTML
        loader=jinja2.FileSystemLoader(path.parent), undefined=kind, trim_blocks=True, keep_trailing_newline=True
    )
    filters: dict[str, Callable[..., Any]] = {
        "bool": bool,
        "to_json": lambda value, **_: json.dumps(value if not isinstance(value, Plain) else {}),
        "ternary": lambda value, yes, no="": yes if value else no,
        "put_address_in_context": lambda value, _: value,
        "kolla_address": lambda value, *_: "192.0.2.1",
        "kolla_url": lambda value, *_: "https://192.0.2.1",
        "int": lambda value, *_: 1,
        "round": lambda value, *_: 1,
        "union": lambda first, second: [*first, *second],
        "difference": lambda first, second: [each for each in first if each not in second],
        "intersect": lambda first, second: [each for each in first if each in second],
        "extract": lambda key, mapping, *rest: mapping[key][rest[0]] if rest else mapping[key],
        "regex_replace": lambda value, *_: str(value),
    }
    environment.filters.update(filters)
    environment.tests["version"] = lambda *_: False
    return environment.get_template(path.name).render(variables)


def _path(*parts: str) -> Path:
    path = FOLDER.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"{VARIABLE} names no folder with a checkout of {parts[0]}")
    return path


def _nova_reads(*files: Path) -> tuple[list[Any], list[Any], list[str], bool]:
    if not PYTHON.exists():
        pytest.skip("the lab's Python of OpenStack is made by `make setup`")
    command = [str(PYTHON), "-c", NOVA, *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/tmp")
    assert done.returncode == 0, done.stderr[-2000:]
    aliases, specs, filters, reports = json.loads(done.stdout.splitlines()[-1])
    return [json.loads(each) for each in aliases], [json.loads(each) for each in specs], filters, reports


def _compare(folder: Path, texts: dict[str, str]) -> NovaConf:
    """Our reading of files, which Nova's own must agree with."""
    paths = [folder / name for name in texts]
    for path, text in zip(paths, texts.values(), strict=True):
        path.write_text(text, encoding="utf-8")
    ours = nova_conf.parse_files([(str(path), path.read_text(encoding="utf-8")) for path in paths])
    aliases, specs, filters, reports = _nova_reads(*paths)
    flat = [entry for spec in specs for entry in (spec if isinstance(spec, list) else [spec])]
    assert (list(ours.aliases), list(ours.device_specs)) == (aliases, flat)
    assert ours.filters is None or list(ours.filters) == filters
    assert ours.is_on("pci", "report_in_placement") == reports
    return ours


OVERRIDE = f"[pci]\nalias = {json.dumps(ALIAS)}\n"
KOLLA = {
    "nova-api": ("nova", OVERRIDE),
    "nova-scheduler": ("nova", f"{OVERRIDE}[filter_scheduler]\nenabled_filters = {','.join(FILTERS)}\n"),
    "nova-conductor": ("nova-cell", OVERRIDE),
    "nova-compute": ("nova-cell", f"{OVERRIDE}device_spec = {json.dumps(CARD)}\nreport_in_placement = true\n"),
}


@pytest.mark.parametrize("kind", [Plain, PlainOn])
@pytest.mark.parametrize("service", list(KOLLA))
def test_templates_of_kolla_ansible(service: str, kind: type[Plain], tmp_path: Path) -> None:
    """Each service has a file of its own, with the operator's overrides behind the template's options."""
    role, override = KOLLA[service]
    path = _path("kolla-ansible", "ansible", "roles", role, "templates", "nova.conf.j2")
    on = {"enable_cells": False, "enable_nova_fake": False} if kind is PlainOn else {}
    nics = [{"devname": "ens785f0", "physical_network": "physnet1"}] if service == "nova-compute" else []
    text = _rendered(path, kind, {"service_name": service, "nova_pci_passthrough_whitelist": nics, **on})
    found = _compare(tmp_path, {"nova.conf": f"{text}\n{override}"})

    assert found.aliases == (ALIAS,)
    assert found.device_specs == ((*nics, CARD) if service == "nova-compute" else ())
    assert (list(found.filters or ()) == FILTERS) == (service == "nova-scheduler")


GROUPS = {
    "nova-compute": "nova_compute",
    "nova-scheduler": "nova_scheduler",
    "nova-api-os-compute": "nova_api_os_compute",
}
CONSOLES = (
    "nova-novncproxy",
    "nova-spicehtml5proxy",
    "nova-serialconsole-proxy",
    "nova-conductor",
    "nova-api-metadata",
)


@pytest.mark.parametrize("kind", [Plain, PlainOn])
@pytest.mark.parametrize("form", ["text", "mapping"])
@pytest.mark.parametrize("group", list(GROUPS.values()))
def test_templates_of_openstack_ansible(group: str, form: str, kind: type[Plain], tmp_path: Path) -> None:
    """One template for all: filters where the scheduler is, aliases and device specs wherever variables set them."""
    path = _path("openstack-ansible-os_nova", "templates", "nova.conf.j2")
    services = {name: {"group": each} for name, each in GROUPS.items()}
    services |= {name: {"group": name} for name in CONSOLES}
    variables = {
        "nova_services": services,
        "group_names": [group],
        "nova_device_spec": [json.dumps(CARD) if form == "text" else CARD],
        "nova_pci_alias": [json.dumps(ALIAS)],
        "_nova_scheduler_filters": FILTERS,
        "nova_enabled_mdev_types": [],
        "nova_oslomsg_rpc_servers": "192.0.2.1,192.0.2.2",
        "nova_oslomsg_notify_servers": "192.0.2.1",
        **{f"nova_{name}_ratio": "1.0" for name in ("cpu_allocation", "ram_allocation", "disk_allocation")},
        "nova_reserved_host_disk_mb": 2048,
        "nova_reserved_host_memory_mb": 2048,
    }
    found = _compare(tmp_path, {"nova.conf": _rendered(path, kind, variables)})

    assert (found.aliases, found.device_specs) == ((ALIAS,), (CARD,))
    assert found.filters == (tuple(FILTERS) if group == "nova_scheduler" else None)


@pytest.mark.parametrize("kind", [Plain, PlainOn])
def test_templates_of_edpm_ansible(kind: type[Plain], tmp_path: Path) -> None:
    """A blank nova.conf, then snippets: the operator's third holds before the template's second."""
    blank = _path("edpm-ansible", "roles", "edpm_nova", "files", "nova-blank.conf").read_text(encoding="utf-8")
    path = _path("edpm-ansible", "roles", "edpm_nova", "templates", "config", "02-nova-host-specific.conf.j2")
    first = _path(
        "edpm-ansible", "roles", "edpm_nova", "molecule", "default", "test-data", "nova-cell1", "01-nova.conf"
    )
    own = f"{OVERRIDE}device_spec = {json.dumps(CARD)}\nreport_in_placement = True\n"
    texts = {
        "nova.conf": blank,
        "01-nova.conf": first.read_text(encoding="utf-8"),
        "02-nova-host-specific.conf": _rendered(path, kind, {}),
        "03-gpu-nova.conf": own,
    }
    found = _compare(tmp_path, texts)

    assert (found.aliases, found.device_specs) == ((ALIAS,), (CARD,))
    option = found.option("pci", "report_in_placement")
    assert option is not None
    assert option.file.endswith("03-gpu-nova.conf")


def test_an_alias_as_a_mapping_is_refused_as_nova_refuses_it() -> None:
    """os_nova writes it as Python does, in single quotes; a device spec it writes as JSON."""
    path = _path("openstack-ansible-os_nova", "templates", "nova.conf.j2")
    services = {name: {"group": name} for name in (*GROUPS, *CONSOLES)}
    variables = {"nova_services": services, "group_names": [], "nova_pci_alias": [ALIAS], "nova_device_spec": []}
    servers = {f"nova_oslomsg_{kind}_servers": "192.0.2.1" for kind in ("rpc", "notify")}
    with pytest.raises(ParseError, match=r"\[pci\] alias is no JSON"):
        nova_conf.parse(_rendered(path, Plain, {**variables, **servers}))


def _defaults(*parts: str) -> dict[str, Any]:
    return dict(yaml.safe_load(_path(*parts).read_text(encoding="utf-8")))


def test_places_are_those_that_the_deployers_write_to() -> None:
    """Signs and paths of ours begin with the roles' own defaults."""
    kolla = _defaults("kolla-ansible", "ansible", "group_vars", "all", "common.yml")["node_config_directory"]
    edpm = _defaults("edpm-ansible", "roles", "edpm_nova", "defaults", "main.yml")
    written = str(edpm["edpm_nova_config_dest"]).replace("{{ edpm_nova_service_name }}", edpm["edpm_nova_service_name"])

    assert load_deployer("kolla-ansible").service("nova-compute").nova_conf == f"{kolla}/nova-compute/nova.conf"
    assert recognised([f"{kolla}/nova-compute"]) == "kolla-ansible"
    assert load_deployer("rhoso").service("nova-compute").nova_conf.rstrip("/") == written
    assert recognised([written]) == "rhoso"
