"""Machines that Kubernetes or OpenShift knows: computes of RHOSO's node sets, or labelled nodes of openstack-helm."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from access.errors import InputError, MeasurementError
from access.local_host import LocalHost
from discovery.machines import Access, Machine, Named

PROGRAMS = ("oc", "kubectl")
NODE_SETS = "openstackdataplanenodesets.dataplane.openstack.org"
LABELS = {"openstack-compute-node": "compute", "openstack-control-plane": "controller"}
"""Labels by which openstack-helm puts its pods on nodes."""
TIMEOUT_S = 60


def read(kubeconfig: Path) -> Named:
    """The machines of a cluster.

    Raises:
        InputError: there is no kubeconfig, or no program that reads it.
        MeasurementError: the cluster does not answer.
    """
    if not kubeconfig.is_file():
        raise InputError(f"there is no kubeconfig {kubeconfig}")
    here = LocalHost("localhost")
    found = here.run(f"for each in {' '.join(PROGRAMS)}; do command -v $each && break; done")
    program = found.stdout.strip().splitlines()[0] if found.stdout.strip() else ""
    if not program:
        raise InputError(f"neither {' nor '.join(PROGRAMS)} is on the path", remedy="install one of them")
    asked = f"{shlex.quote(program)} --kubeconfig {shlex.quote(str(kubeconfig))} --request-timeout=20s get"
    sets = here.run(f"{asked} {NODE_SETS} --all-namespaces -o json", timeout_s=TIMEOUT_S)
    if sets.exit_code == 0 and (items := _items(sets.stdout)):
        return of_node_sets(items)
    nodes = here.run(f"{asked} nodes -o json", timeout_s=TIMEOUT_S)
    if nodes.exit_code:
        raise MeasurementError(
            f"{program} cannot list the nodes of {kubeconfig}: {(nodes.stderr or sets.stderr).strip()[:500]}",
            remedy="log in again, or ask for the right to list nodes and node sets",
        )
    return of_nodes(_items(nodes.stdout))


def _items(text: str) -> list[Mapping[str, Any]]:
    try:
        return list(json.loads(text).get("items") or ())
    except (ValueError, AttributeError) as error:
        raise MeasurementError(f"the cluster answers no list: {text[:200]!r}") from error


def of_node_sets(items: list[Mapping[str, Any]]) -> Named:
    """The nodes of OpenStackDataPlaneNodeSet resources; what a node does not say, its set's template does."""
    machines = []
    for item in items:
        spec = item.get("spec") or {}
        shared = _ansible(spec.get("nodeTemplate"))
        for name, node in (spec.get("nodes") or {}).items():
            own = {**shared, **_ansible(node)}
            address = str(own.get("ansibleHost") or _first_address(node) or node.get("hostName") or name)
            access = Access(own.get("ansibleUser") or "cloud-admin", own.get("ansiblePort"))
            machines.append(Machine(str(node.get("hostName") or name), address, access, frozenset({"compute"})))
    pods = "Nova's API and scheduler run in pods: which host has `oc` for them (role: Controller)?"
    return Named(tuple(machines), (pods,))


def _ansible(owner: Any) -> dict[str, Any]:
    return {key: value for key, value in ((owner or {}).get("ansible") or {}).items() if value}


def _first_address(node: Mapping[str, Any]) -> str | None:
    networks = node.get("networks") or ()
    fixed = (str(each["fixedIP"]) for each in networks if each.get("fixedIP") and each.get("name") == "ctlplane")
    return next(fixed, None)


def of_nodes(items: list[Mapping[str, Any]]) -> Named:
    """Nodes that openstack-helm's labels make computes or controllers; all nodes where there are no such labels."""
    labelled = [item for item in items if _roles(item)]
    machines = []
    for item in labelled or items:
        name = str((item.get("metadata") or {}).get("name"))
        listed = (item.get("status") or {}).get("addresses") or ()
        addresses = [str(each["address"]) for each in listed if each.get("type") == "InternalIP"]
        machines.append(Machine(name, addresses[0] if addresses else name, groups=frozenset(_roles(item))))
    return Named(tuple(machines))


def _roles(item: Mapping[str, Any]) -> list[str]:
    labels = (item.get("metadata") or {}).get("labels") or {}
    return [role for label, role in LABELS.items() if labels.get(label) == "enabled"]
