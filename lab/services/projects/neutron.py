"""Neutron: networks and ports without agents; the machine daemon plays the L3 agent."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from lab.hosts.layout import MachineDir
from lab.services.configuration import SQLITE_WAIT, Sections, common, database, database_url, identity, log, token
from lab.services.service import Endpoint, Service, as_application
from lab.state import LabState

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


def _configuration(state: LabState) -> dict[str, Sections]:
    (state.paths.state / "neutron").mkdir(exist_ok=True, mode=0o700)
    return {"neutron.conf": _sections(state)}


def _sections(state: LabState) -> Sections:
    unlimited = ("port", "floatingip", "security_group", "security_group_rule", "network", "subnet", "router")
    return {
        "DEFAULT": {
            **log(state, "neutron"),
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
        "database": database(state, "neutron"),
        "keystone_authtoken": token(state, "neutron"),
        "nova": identity(state, "neutron"),
        "placement": identity(state, "neutron"),
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
        **common(state),
    }


def _create_databases(state: LabState, services: tuple[Service, ...]) -> None:
    # neutron's migrations do not run on SQLite; its models do
    import sqlalchemy
    from neutron.db.migration.models import head

    engine = sqlalchemy.create_engine(database_url(state, "neutron").removesuffix(SQLITE_WAIT))
    head.get_metadata().create_all(engine)


def _application(state: LabState) -> WSGIApplication:
    os.environ.update(OS_NEUTRON_CONFIG_DIR=str(state.paths.etc), OS_NEUTRON_CONFIG_FILES="neutron.conf")
    sys.argv = ["neutron-server"]
    from neutron.wsgi.api import application

    _load_policy()
    return as_application(application)


def _load_policy() -> None:
    """Load the policy rules now: two first requests at once would see only a part of them."""
    from neutron import policy

    policy.init()
    policy._ENFORCER.load_rules()


SERVICE = Service(
    name="neutron",
    port=9696,
    api="neutron",
    application=_application,
    configuration=_configuration,
    databases={"neutron": "neutron"},
    create_databases=_create_databases,
    is_schema_only=True,
    endpoint=Endpoint("network"),
    start_order=20,
)
