"""The files of a layout: what its deployer has left on the hosts before anybody looks at them."""

from __future__ import annotations

import json
from typing import Any

from lab.hosts.hardware.declaration import MODELS
from lab.hosts.layout import MachineDir
from lab.state import LabState, write_private

ALIASES = ("a1", "a2")


def populate(state: LabState) -> None:
    """Write the layout's files where they are not there yet, and the administrator's rc file on the deployment host."""
    for host in state.emulated:
        machine = MachineDir(state.paths, str(host["name"]))
        role = "Compute" if host["name"] in state.computes else host["role"]
        for name in state.release_data.get("directories", ()):
            (machine.fs / name).mkdir(exist_ok=True)
        for path, text in state.release_data["files"].get(role, {}).items():
            file = machine.path(path)
            if not file.exists():
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(filled(state, text))
                file.chmod(0o755 if text.startswith("#!") else 0o644)
    _rc_file(state)


def filled(state: LabState, text: str) -> str:
    """Aliases and device specs of the declared cards, a line each."""
    models = [gpu["model"] for host in state.declaration["hosts"] for gpu in host.get("gpus", ())]
    ids = [_ids(model) for model in dict.fromkeys(models)]
    types = ["type-PF" if MODELS[model]["sriov"] else "type-PCI" for model in dict.fromkeys(models)]
    aliases = [
        {"name": name, **card, "device_type": kind} for card, kind in zip(ids, types, strict=True) for name in ALIASES
    ]
    lines = {"@ALIASES@": [f"alias = {json.dumps(alias)}" for alias in aliases]}
    lines["@DEVICE_SPECS@"] = [f"device_spec = {json.dumps(card)}" for card in ids]
    for mark, values in lines.items():
        text = text.replace(mark, "\n".join(values))
    return text


def _ids(model: str) -> dict[str, Any]:
    return {"vendor_id": "10de", "product_id": MODELS[model]["product_id"]}


def _rc_file(state: LabState) -> None:
    machine = MachineDir(state.paths, state.hosts("Undercloud")[0])
    variables = {
        "OS_USERNAME": "admin",
        "OS_PASSWORD": state.secret("admin"),
        "OS_PROJECT_NAME": "admin",
        "OS_USER_DOMAIN_NAME": "Default",
        "OS_PROJECT_DOMAIN_NAME": "Default",
        "OS_AUTH_URL": state.identity_url + "/v3",
        "OS_REGION_NAME": "RegionOne",
    }
    path = machine.path(state.release_data["administrator_rc"])
    write_private(path, "".join(f"export {name}={value}\n" for name, value in variables.items()))
