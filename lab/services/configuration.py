"""The configuration that the lab itself gives to the services: databases, identity, bus, paths.

What an operator configures (PCI alias, device_spec, filters) is not here: nova's services read that from their
emulated host's own nova.conf.
"""

from __future__ import annotations

import base64
import configparser
import os
from pathlib import Path
from typing import Any

from lab.hosts.layout import MachineDir
from lab.services.plan import host_of
from lab.state import LabState, write_private

Sections = dict[str, dict[str, Any]]
SQLITE_WAIT = "?timeout=60"
NOVA_SERVICES = ("nova-api", "nova-scheduler", "nova-conductor")
LEGACY_FILTERS = "labcloud.legacy_filters"


def write_all(state: LabState) -> None:
    """Write every configuration file and key repository."""
    for name in ("images", "images-staging", "images-tasks", "locks", "neutron", "cache"):
        (state.paths.state / name).mkdir(exist_ok=True, mode=0o700)
    _key_repositories(state)
    _write(state, "keystone.conf", _keystone(state))
    _write(state, "placement.conf", _placement(state))
    _write(state, "glance-api.conf", _glance(state))
    _write(state, "neutron.conf", _neutron(state))
    _write(state, "heat.conf", _heat(state))
    for service in (*NOVA_SERVICES, *(f"nova-compute-{host}" for host in state.computes)):
        _write(state, f"{service}.conf", _nova(state, service))


def nova_config_files(state: LabState, service: str) -> list[Path]:
    """Files that a nova service reads, the later ones win: the lab's, the host's own, the dialect's translation."""
    own = host_nova_conf(state, service)
    files = [state.paths.etc / f"{service}.conf"]
    if own.exists():
        files.append(own)
        translation = state.paths.etc / f"{service}-dialect.conf"
        _write(state, translation.name, _translate(state, own))
        files.append(translation)
    return files


def host_nova_conf(state: LabState, service: str) -> Path:
    """The nova.conf of the service on its emulated host: in the container's directory where the release has them."""
    key = "compute" if service.startswith("nova-compute") else service.removeprefix("nova-")
    inside = str(state.release_data["nova_conf"][key])
    return MachineDir(state.paths, host_of(state, service)).path(inside)


def _translate(state: LabState, own: Path) -> Sections:
    """Options by the name that today's Nova knows, where the dialect's release had another one."""
    parser = configparser.RawConfigParser(strict=False, delimiters=("=", ":"), allow_no_value=True)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(_readable(own.read_text()))
    sections: Sections = {"filter_scheduler": {}}
    for section, option in (
        ("DEFAULT", "scheduler_default_filters"),
        ("filter_scheduler", "scheduler_enabled_filters"),
    ):
        if parser.has_option(section, option) and not parser.has_option("filter_scheduler", "enabled_filters"):
            sections["filter_scheduler"]["enabled_filters"] = parser.get(section, option)
    if state.release_data.get("legacy_filters"):
        names = [f"{LEGACY_FILTERS}.{name}" for name in state.release_data["legacy_filters"]]
        sections["filter_scheduler"]["available_filters"] = ["nova.scheduler.filters.all_filters", *names]
    return sections


def _readable(text: str) -> str:
    """Without the lines that ConfigParser takes for an error and oslo.config for the file's own business."""
    return text if text.lstrip().startswith("[") else "[DEFAULT]\n" + text


def _write(state: LabState, name: str, sections: Sections) -> None:
    lines = []
    for section, options in sections.items():
        lines.append(f"[{section}]")
        for key, value in options.items():
            lines.extend(f"{key} = {item}" for item in (value if isinstance(value, list) else [value]))
        lines.append("")
    write_private(state.paths.etc / name, "\n".join(lines))


def _key_repositories(state: LabState) -> None:
    for repository in ("fernet", "credential"):
        directory = state.paths.secrets / repository
        directory.mkdir(exist_ok=True, mode=0o700)
        for name in ("0", "1"):
            if not (directory / name).exists():
                write_private(directory / name, base64.urlsafe_b64encode(os.urandom(32)).decode())


def bus_url(state: LabState) -> str:
    """The message bus, for oslo.messaging."""
    return f"lab:///{state.paths.sockets / 'bus.sock'}"


def database_url(state: LabState, name: str) -> str:
    """A service's database."""
    return f"sqlite:///{state.paths.databases}/{name}.db{SQLITE_WAIT}"


def _database(state: LabState, name: str) -> dict[str, Any]:
    return {"connection": database_url(state, name), "sqlite_synchronous": "false"}


def _identity(state: LabState, user: str) -> dict[str, Any]:
    return {
        "auth_type": "password",
        "auth_url": state.url("keystone"),
        "username": user,
        "password": state.secret("service"),
        "project_name": "service",
        "user_domain_name": "Default",
        "project_domain_name": "Default",
        "region_name": "RegionOne",
    }


def _token(state: LabState, user: str) -> dict[str, Any]:
    return {
        **_identity(state, user),
        "www_authenticate_uri": state.url("keystone"),
        "service_token_roles": "service",
        "service_token_roles_required": "true",
    }


def _log(state: LabState, name: str) -> dict[str, Any]:
    return {"log_file": state.paths.logs / f"{name}.log", "use_stderr": "false"}


def _common(state: LabState) -> Sections:
    return {
        "oslo_concurrency": {"lock_path": state.paths.state / "locks"},
        "oslo_messaging_notifications": {"driver": "noop"},
    }


def _keystone(state: LabState) -> Sections:
    return {
        "DEFAULT": _log(state, "keystone"),
        "database": _database(state, "keystone"),
        "token": {"provider": "fernet", "expiration": 86400},
        "cache": {"enabled": "true", "backend": "dogpile.cache.memory"},
        "identity": {"password_hash_rounds": 4},
        "fernet_tokens": {"key_repository": state.paths.secrets / "fernet"},
        "fernet_receipts": {"key_repository": state.paths.secrets / "fernet"},
        "credential": {"key_repository": state.paths.secrets / "credential"},
        "oslo_messaging_notifications": {"driver": "noop"},
    }


def _placement(state: LabState) -> Sections:
    return {
        "DEFAULT": _log(state, "placement"),
        "placement_database": _database(state, "placement"),
        "api": {"auth_strategy": "keystone"},
        "keystone_authtoken": _token(state, "placement"),
    }


def _glance(state: LabState) -> Sections:
    home = state.paths.state
    paste = state.paths.openstack_env / "etc" / "glance" / "glance-api-paste.ini"
    return {
        "DEFAULT": {
            **_log(state, "glance-api"),
            "enabled_backends": "file:file",
            "enabled_import_methods": "[]",
            "worker_self_reference_url": state.url("glance"),
        },
        "database": _database(state, "glance"),
        "keystone_authtoken": _token(state, "glance"),
        "paste_deploy": {"flavor": "keystone", "config_file": paste},
        "glance_store": {"default_backend": "file"},
        "file": {"filesystem_store_datadir": home / "images"},
        "os_glance_staging_store": {"filesystem_store_datadir": home / "images-staging"},
        "os_glance_tasks_store": {"filesystem_store_datadir": home / "images-tasks"},
        **_common(state),
    }


def _neutron(state: LabState) -> Sections:
    unlimited = ("port", "floatingip", "security_group", "security_group_rule", "network", "subnet", "router")
    return {
        "DEFAULT": {
            **_log(state, "neutron"),
            "transport_url": "fake://",
            "core_plugin": "ml2",
            "service_plugins": "router",
            "auth_strategy": "keystone",
            "state_path": state.paths.state / "neutron",
            "api_paste_config": state.paths.openstack_env / "etc" / "neutron" / "api-paste.ini",
            "notify_nova_on_port_status_changes": "true",
            "notify_nova_on_port_data_changes": "true",
            "send_events_interval": 1,
            "dhcp_agent_notification": "false",
            "global_physnet_mtu": 1500,
        },
        "database": _database(state, "neutron"),
        "keystone_authtoken": _token(state, "neutron"),
        "nova": _identity(state, "neutron"),
        "placement": _identity(state, "neutron"),
        "ml2": {
            "type_drivers": "local,flat,vxlan",
            "tenant_network_types": "vxlan",
            "mechanism_drivers": "lab",
            "extension_drivers": "port_security",
        },
        "ml2_type_flat": {"flat_networks": "datacentre"},
        "ml2_type_vxlan": {"vni_ranges": "1:1000"},
        "quotas": {f"quota_{name}": -1 for name in unlimited},
        "oslo_policy": {"policy_file": MachineDir(state.paths, state.controller).path("/etc/neutron/policy.yaml")},
        **_common(state),
    }


def _heat(state: LabState) -> Sections:
    return {
        "DEFAULT": {
            **_log(state, "heat"),
            "transport_url": bus_url(state),
            "num_engine_workers": 1,
            "deferred_auth_method": "trusts",
            "region_name_for_services": "RegionOne",
            "host": state.controller,
            "action_retry_limit": "0",  # Heat makes a failed server five times again; here the first answer will do
            "heat_metadata_server_url": state.url("heat"),
            "heat_waitcondition_server_url": f"{state.url('heat')}/v1/waitcondition",
            "default_deployment_signal_transport": "HEAT_SIGNAL",
            "stack_user_domain_name": "heat",
            "stack_domain_admin": "heat_domain_admin",
            "stack_domain_admin_password": state.secret("heat_domain_admin"),
        },
        "database": _database(state, "heat"),
        "keystone_authtoken": _token(state, "heat"),
        "trustee": _identity(state, "heat"),
        "clients_keystone": {"auth_uri": state.url("keystone")},
        "paste_deploy": {"api_paste_config": state.paths.openstack_env / "etc" / "heat" / "api-paste.ini"},
        **_common(state),
    }


def _nova(state: LabState, service: str) -> Sections:
    host = host_of(state, service)
    home = state.paths.state / "nova" / host
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    sections: Sections = {
        "DEFAULT": {
            **_log(state, service),
            "transport_url": bus_url(state),
            "host": host,
            "my_ip": state.host_addresses[host],
            "state_path": home,
            "instances_path": home / "instances",
            "compute_driver": "labcloud.LabDriver",
            "rpc_response_timeout": 60,
            "force_config_drive": "false",
            "instance_usage_audit": "false",
            "report_interval": 10,
            "service_down_time": 60,
            "reclaim_instance_interval": 0,
            "periodic_fuzzy_delay": 0,
            # Nova frees some cards with the audit only; a minute of waiting after every move would be too long here
            "update_resources_interval": 5,
            "graceful_shutdown_timeout": 2,
            "enable_instance_password": "false",
            "allow_resize_to_same_host": "true",
            "resume_guests_state_on_host_boot": "false",
        },
        "database": _database(state, "nova_cell1"),
        "api_database": _database(state, "nova_api"),
        "api": {"auth_strategy": "keystone"},
        "wsgi": {"api_paste_config": state.paths.openstack_env / "etc" / "nova" / "api-paste.ini"},
        "keystone_authtoken": _token(state, "nova"),
        "service_user": {**_identity(state, "nova"), "send_service_user_token": "true"},
        **{name: _identity(state, "nova") for name in ("placement", "neutron", "glance", "keystone")},
        "vnc": {"enabled": "false"},
        "scheduler": {"discover_hosts_in_cells_interval": 2, "workers": 1},
        "conductor": {"workers": 1},
        "filter_scheduler": {"track_instance_changes": "true"},
        **_common(state),
    }
    if service.startswith("nova-compute"):  # as in life: computes have no way to the database
        del sections["database"], sections["api_database"]
    return sections
