"""The undercloud's commands: openstack, swift, upload-puppet-modules."""

from __future__ import annotations

import argparse
import os
import posixpath
import sys
from collections.abc import Callable

from lab.errors import LabError
from lab.hosts.daemon.client import MachineError
from lab.hosts.layout import MachineDir
from lab.paths import LabPaths
from lab.state import LabState, load
from lab.undercloud import artifacts, output
from lab.undercloud.deploy import Deploy, status
from lab.undercloud.nodes import Registry

NO_CREDENTIALS = "Missing value auth-url required for auth plugin password"


def _guarded(run: Callable[[], int]) -> int:
    try:
        return run()
    except (LabError, MachineError) as error:
        print(error, file=sys.stderr)
        return 1


def openstack(arguments: list[str]) -> int:
    """`openstack …` on the undercloud: TripleO's commands here, the overcloud's by the real client."""
    state = load(LabPaths.of(os.environ["LAB_NAME"]))
    url = os.environ.get("OS_AUTH_URL", "")
    if url.startswith(state.identity_url):
        from openstackclient import shell

        return int(shell.main(arguments) or 0)
    if not url:
        print(NO_CREDENTIALS, file=sys.stderr)
        return 1
    return _guarded(lambda: _undercloud(state, arguments))


def _undercloud(state: LabState, arguments: list[str]) -> int:
    for words, command in COMMANDS.items():
        count = len(words.split())
        if arguments[:count] == words.split():
            return command(state, arguments[count:])
    print(
        f"openstack: '{' '.join(arguments[:3])}' is not an openstack command. See 'openstack --help'.", file=sys.stderr
    )
    return 2


def _listing(name: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"openstack {name}")
    parser.add_argument("-f", "--format", default="table", choices=("table", "json", "value", "yaml", "csv"))
    parser.add_argument("-c", "--column", action="append")
    parser.add_argument("--long", action="store_true")
    return parser


def _node_list(state: LabState, arguments: list[str]) -> int:
    options = _listing("baremetal node list").parse_args(arguments)
    rows = [
        {
            "UUID": node.uuid,
            "Name": node.name,
            "Instance UUID": node.instance,
            "Power State": node.power_state,
            "Provisioning State": node.provision_state,
            "Maintenance": node.maintenance,
        }
        for node in Registry(state).load()
    ]
    columns = ["UUID", "Name", "Instance UUID", "Power State", "Provisioning State", "Maintenance"]
    output.show_list(columns, rows, options.format, options.column)
    return 0


def _node_show(state: LabState, arguments: list[str]) -> int:
    parser = _listing("baremetal node show")
    parser.add_argument("node")
    options = parser.parse_args(arguments)
    node = Registry(state).find(options.node)
    row = {
        "uuid": node.uuid,
        "name": node.name,
        "driver": node.driver,
        "power_state": node.power_state,
        "provision_state": node.provision_state,
        "maintenance": node.maintenance,
        "properties": node.properties,
    }
    output.show_one(row, options.format, options.column)
    return 0


def _node_import(state: LabState, arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="openstack overcloud node import")
    parser.add_argument("env_file")
    parser.add_argument("--introspect", action="store_true")
    parser.add_argument("--provide", action="store_true")
    options = parser.parse_args([word for word in arguments if word != "--json"])
    file = _file(state, options.env_file)
    registry = Registry(state)
    for node in registry.import_file(file):
        print(f"Successfully registered node UUID {node.uuid}")
    if options.provide:
        registry.provide()
    return 0


def _file(state: LabState, name: str) -> str:
    undercloud = MachineDir(state.paths, state.hosts("Undercloud")[0])
    path = undercloud.path(posixpath.normpath(posixpath.join(os.environ["LAB_CWD"], name)))
    if not path.is_file():
        raise LabError(f"[Errno 2] No such file or directory: '{name}'")
    return path.read_text()


def _introspect(state: LabState, arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="openstack overcloud node introspect")
    parser.add_argument("nodes", nargs="*")
    parser.add_argument("--all-manageable", action="store_true")
    parser.add_argument("--provide", action="store_true")
    options = parser.parse_args(arguments)
    registry = Registry(state)
    chosen = None if options.all_manageable else set(options.nodes)
    for node in registry.load():
        if node.provision_state == "manageable" and (chosen is None or {node.uuid, node.name} & chosen):
            print(f"Waiting for introspection to finish...\nIntrospection for UUID {node.uuid} finished successfully.")
    print("Introspection completed.")
    if options.provide:
        for name in registry.provide(chosen):
            print(f"Successfully set {name} to available.")
    return 0


def _provide(state: LabState, arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="openstack overcloud node provide")
    parser.add_argument("nodes", nargs="*")
    parser.add_argument("--all-manageable", action="store_true")
    options = parser.parse_args(arguments)
    chosen = None if options.all_manageable else set(options.nodes)
    for name in Registry(state).provide(chosen):
        print(f"Successfully set {name} to available.")
    return 0


def _server_list(state: LabState, arguments: list[str]) -> int:
    options = _listing("server list").parse_args(arguments)
    rows = [
        {
            "ID": node.uuid,
            "Name": node.instance,
            "Status": "ACTIVE",
            "Networks": f"ctlplane={state.host_addresses[node.instance]}",
        }
        for node in Registry(state).load()
        if node.instance
    ]
    output.show_list(["ID", "Name", "Status", "Networks"], rows, options.format, options.column)
    return 0


def _image_list(state: LabState, arguments: list[str]) -> int:
    options = _listing("image list").parse_args(arguments)
    names = (
        "bm-deploy-kernel",
        "bm-deploy-ramdisk",
        "overcloud-full",
        "overcloud-full-initrd",
        "overcloud-full-vmlinuz",
    )
    rows = [
        {"ID": f"{number:08d}-0000-4000-8000-000000000000", "Name": name, "Status": "active"}
        for number, name in enumerate(names)
    ]
    output.show_list(["ID", "Name", "Status"], rows, options.format, options.column)
    return 0


def _stack_list(state: LabState, arguments: list[str]) -> int:
    options = _listing("stack list").parse_args(arguments)
    found = status(state)
    rows = [{"ID": "overcloud", "Stack Name": found["stack_name"], "Stack Status": found["status"]}] if found else []
    output.show_list(["ID", "Stack Name", "Stack Status"], rows, options.format, options.column)
    return 0


def _failures(state: LabState, arguments: list[str]) -> int:
    found = status(state)
    if found and found["reason"]:
        print(f"overcloud:\n  status: {found['status']}\n  status_reason: |\n    {found['reason']}")
    return 0


def _plan_list(state: LabState, arguments: list[str]) -> int:
    options = _listing("overcloud plan list").parse_args(arguments)
    output.show_list(["Plan Name"], [{"Plan Name": "overcloud"}], options.format, options.column)
    return 0


def _deploy(state: LabState, arguments: list[str]) -> int:
    return Deploy(state, arguments).run()


COMMANDS: dict[str, Callable[[LabState, list[str]], int]] = {
    "baremetal node list": _node_list,
    "baremetal node show": _node_show,
    "baremetal import": _node_import,
    "overcloud node import": _node_import,
    "overcloud node introspect": _introspect,
    "overcloud node provide": _provide,
    "overcloud plan list": _plan_list,
    "overcloud deploy": _deploy,
    "server list": _server_list,
    "image list": _image_list,
    "stack list": _stack_list,
    "stack failures list": _failures,
}


def swift(arguments: list[str]) -> int:
    """`swift list [CONTAINER]`."""
    state = load(LabPaths.of(os.environ["LAB_NAME"]))
    if not os.environ.get("OS_AUTH_URL"):
        print("Auth version 1.0 requires ST_AUTH, ST_USER, and ST_KEY environment variables", file=sys.stderr)
        return 1
    words = [word for word in arguments if not word.startswith("-")]
    if words[:1] != ["list"]:
        print(f"Unknown command {words[:1]}", file=sys.stderr)
        return 1
    folder = artifacts.container(state)
    if len(words) == 1:
        print("overcloud\n" + artifacts.CONTAINER if any(folder.iterdir()) else "overcloud")
    elif words[1] == artifacts.CONTAINER and any(folder.iterdir()):
        print("\n".join(sorted(path.name for path in folder.iterdir())))
    else:
        print(f"Container '{words[1]}' not found", file=sys.stderr)
        return 1
    return 0


def upload_puppet_modules(arguments: list[str]) -> int:
    """`upload-puppet-modules -d DIRECTORY`: modules to Swift, their URL to the default environment files."""
    parser = argparse.ArgumentParser(prog="upload-puppet-modules")
    parser.add_argument("-d", "--directory", required=True)
    options = parser.parse_args(arguments)
    state = load(LabPaths.of(os.environ["LAB_NAME"]))

    def run() -> int:
        undercloud = MachineDir(state.paths, state.hosts("Undercloud")[0])
        path = undercloud.path(posixpath.normpath(posixpath.join(os.environ["LAB_CWD"], options.directory)))
        if not path.is_dir():
            raise LabError(f"{options.directory}: no such directory")
        names = artifacts.upload(state, path)
        folder = undercloud.path("/home/stack/.tripleo/environments")
        folder.mkdir(parents=True, exist_ok=True)
        url = f"http://{state.host_addresses[undercloud.name]}:8080/v1/{artifacts.CONTAINER}/{artifacts.TARBALL}"
        (folder / "puppet-modules-url.yaml").write_text(
            f"# Heat environment to deploy artifacts via Swift Temp URL(s)\n"
            f"parameter_defaults:\n    DeployArtifactURLs:\n    - '{url}'\n"
        )
        print(
            f"Creating tarball with {', '.join(names)}\nUploading file to swift: {artifacts.TARBALL}\nUpload complete."
        )
        return 0

    return _guarded(run)
