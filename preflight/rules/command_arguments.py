"""Commands of scripts and manuals that lack something: an argument, or the upload of an image."""

from __future__ import annotations

from collections.abc import Iterator

from preflight.catalogue import rule
from preflight.deployment import Deployment
from preflight.finding import Finding
from preflight.heat import resolve, resources
from preflight.releases import load_data
from preflight.shell_source import Command

NOT_UPLOADED = rule("GP620")
ARGUMENT_MISSING = rule("GP621")
RULES = (NOT_UPLOADED, ARGUMENT_MISSING)
FLAGS = ("--enable", "--disable", "--no-", "--use-", "--or-", "--ignore-", "--all")
"""How options begin that take no value, whatever the command."""
ENDS = {"|", "||", "&&", ";", ">", ">>", "2>", "2>&1", "<", "&"}


def check(deployment: Deployment) -> Iterator[Finding]:
    """Findings of this concern."""
    manuals = [command for manual in deployment.files.manuals for command in manual.commands()]
    for command in [*deployment.files.commands, *manuals]:
        yield from _arguments(command)
    yield from _images(deployment)


def _arguments(command: Command) -> Iterator[Finding]:
    """Compare what is written with data/commands.yaml; what the shell or a reader puts in may be anything."""
    words = list(command.words)
    if words[:1] == ["$"]:
        words = words[1:]
    if words[:1] != ["openstack"] or any(word.startswith(("$@", "${", "$*")) or "[@]" in word for word in words):
        return
    for name, form in load_data("commands.yaml").items():
        verbs = name.split()
        if words[1 : 1 + len(verbs)] != verbs:
            continue
        given, options = _split(words[1 + len(verbs) :], set(form.get("flags", ())))
        missing = form["arguments"][len(given) :]
        missing += [names[0] for names in form.get("options", ()) if not options & set(names)]
        if missing:
            yield ARGUMENT_MISSING.at(
                command.location,
                command.text,
                f"openstack {name} needs {' and '.join(missing)}",
                f"openstack {name} … {' '.join(missing)}",
            )
        return


def _split(words: list[str], flags: set[str]) -> tuple[list[str], set[str]]:
    """Arguments, and names of options; an option takes the next word unless it is a flag or has its value by `=`."""
    given, options, index = [], set(), 0
    while index < len(words) and words[index] not in ENDS and not words[index].startswith("#"):
        word = words[index]
        if word.startswith("-") and len(word) > 1:
            options.add(word.partition("=")[0])
            index += 1 if "=" in word or word in flags or word.startswith(FLAGS) else 2
            continue
        given.append(word.rstrip(";"))
        index += 1
    return given, options


def _images(deployment: Deployment) -> Iterator[Finding]:
    """An image is prepared and servers boot from one, but no script uploads any."""
    commands = list(deployment.files.commands)
    made = [command for command in commands if command.runs("virt-customize") or command.runs("virt-builder")]
    uploads = any(
        command.runs("image", "create") or command.runs("image", "upload") or command.runs("glance", "image-create")
        for command in commands
    )
    booted = {
        name
        for template in deployment.files.templates
        for _, resource in resources(template)
        if (node := resource.find("properties", "image")) is not None and (name := resolve(template, node))
    } | {name for command in commands if command.runs("server", "create") for name in command.options("--image")}
    if made and booted and not uploads:
        yield NOT_UPLOADED.at(
            made[-1].location,
            made[-1].text,
            f"instances boot from {', '.join(sorted(booted))}, and no script uploads an image",
            "openstack image create --disk-format qcow2 --file … NAME",
        )
