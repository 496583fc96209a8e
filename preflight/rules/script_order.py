"""Commands in an order in which they cannot work: what is used before it is made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from preflight.catalogue import rule
from preflight.deployment import Deployment
from preflight.finding import Finding
from preflight.shell_source import Command

MADE_LATER = rule("GP616")
CUSTOMIZED_LATE = rule("GP617")
NOT_DEPLOYED_YET = rule("GP618")
RULES = (MADE_LATER, CUSTOMIZED_LATE, NOT_DEPLOYED_YET)


@dataclass(frozen=True)
class Use:
    """Where a command names something that another command makes."""

    kind: str
    options: tuple[str, ...]
    on: tuple[str, ...]
    """The command, e.g. ("server", "create"); the last word counts where there is no option."""


USES = (
    Use("flavor", ("--flavor",), ("server", "create")),
    Use("flavor", (), ("flavor", "set")),
    Use("image", ("--image",), ("server", "create")),
    Use("network", ("--network",), ("server", "create")),
    Use("network", ("--network",), ("subnet", "create")),
    Use("keypair", ("--key-name",), ("server", "create")),
    Use("user", ("--user",), ("role", "add")),
    Use("project", ("--project",), ("role", "add")),
    Use("project", ("--project",), ("user", "create")),
    Use("aggregate", (), ("aggregate", "set")),
)


def check(deployment: Deployment) -> Iterator[Finding]:
    """Findings of this concern."""
    for script in deployment.files.scripts:
        if script.in_template:
            continue
        commands = script.commands()
        yield from _made_later(commands)
        yield from _customized_late(commands)
        yield from _not_deployed_yet(commands)


def _made_later(commands: list[Command]) -> Iterator[Finding]:
    for index, command in enumerate(commands):
        for use in USES:
            if not command.runs("openstack", *use.on):
                continue
            names = command.options(*use.options) if use.options else [command.words[-1]]
            for name in names:
                before = any(_makes(other, use.kind, name) for other in commands[:index])
                later = next((other for other in commands[index + 1 :] if _makes(other, use.kind, name)), None)
                if later is not None and not before:
                    yield MADE_LATER.at(
                        command.location,
                        command.text,
                        f"the {use.kind} '{name}' is made later, in line {later.location.line}",
                        f"run it after line {later.location.line}",
                    )


def _makes(command: Command, kind: str, name: str) -> bool:
    return "$" not in name and command.runs("openstack", kind, "create") and name in command.words[3:]


def _customized_late(commands: list[Command]) -> Iterator[Finding]:
    uploaded: dict[str, Command] = {}
    for command in commands:
        if command.runs("openstack", "image", "create"):
            uploaded.update({file.rsplit("/", 1)[-1]: command for file in command.options("--file")})
        elif command.runs("virt-customize"):
            for file in command.options("-a", "--add"):
                first = uploaded.get(file.rsplit("/", 1)[-1])
                if first is not None:
                    yield CUSTOMIZED_LATE.at(
                        command.location,
                        file,
                        f"line {first.location.line} has uploaded it already",
                        f"run it before line {first.location.line}",
                    )


def _not_deployed_yet(commands: list[Command]) -> Iterator[Finding]:
    deploy = next((command for command in commands if command.runs("openstack", "overcloud", "deploy")), None)
    if deploy is None:
        return
    for command in commands[: commands.index(deploy)]:
        if command.words[:1] in (("source",), (".",)) and command.words[-1].endswith("overcloudrc"):
            yield NOT_DEPLOYED_YET.at(
                command.location,
                command.text,
                f"the deploy in line {deploy.location.line} writes it",
                "source ~/stackrc here, overcloudrc after the deploy",
            )
