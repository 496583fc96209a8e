"""Deploy scripts: what the shell makes of them, and the order of what they do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from preflight.catalogue import rule
from preflight.deployment import Deployment
from preflight.finding import Finding, Location, Replacement
from preflight.heat import resources
from preflight.shell_source import Command, Script

LOST_BACKSLASH = rule("GP601")
SPACE_AFTER_BACKSLASH = rule("GP602")
USED_BEFORE_MADE = rule("GP603")
NOT_WAITED_FOR = rule("GP604")
FILE_NOT_THERE = rule("GP605")
MAKE_WITHOUT_LIMIT = rule("GP606")
COMPILER_FLAG_FOR_MAKE = rule("GP607")
WORKING_DIRECTORY = rule("GP608")
GLUED = rule("GP619")
RULES = (
    GLUED,
    LOST_BACKSLASH,
    SPACE_AFTER_BACKSLASH,
    USED_BEFORE_MADE,
    NOT_WAITED_FOR,
    FILE_NOT_THERE,
    MAKE_WITHOUT_LIMIT,
    COMPILER_FLAG_FOR_MAKE,
    WORKING_DIRECTORY,
)
TEMPLATE_TAG = re.compile(r"^[ \t]*\{\{-?\s*(?:if|else|end|range|with)\b|^[ \t]*\{%|(?:-|%)\}\}?\s*\Z")
"""A line that begins or ends with a branch of a Jinja or Go template."""
BLANK_AFTER_BACKSLASH = re.compile(r"\\[ \t]+$")
MAKE_JOBS = re.compile(
    r"\bmake\b.*?(?P<jobs>(?:-j|--jobs=?)\s*(?:\$\(\s*(?:e?grep)\s+-c\b[^)]*\)|`\s*e?grep\s+-c\b[^`]*`|0\b))"
)
MAKE_WARNING = re.compile(r"\bmake\b.*\s(?P<flag>-W(?:no-|all\b|error\b|extra\b)\S*)")
MKDIR = re.compile(r"^[ \t]*(?:sudo\s+)?mkdir\s+(?!.*-\w*p)(?P<path>\S+)")
CLOUD_WORK = re.compile(r"^[ \t]*(?:sudo\s+)?(?:openstack|virt-customize|nova|glance|heat)\s", re.M)
RELATIVE_FILE = re.compile(r"^[\w.-]+(?:/[\w.-]+)+\.(?:ya?ml|sh|json)$")


def check(deployment: Deployment) -> Iterator[Finding]:
    """Findings of this concern."""
    for script in deployment.files.scripts:
        yield from _continuations(script)
        yield from _make(script)
        if not script.in_template:
            yield from _order(deployment, script.commands())
            yield from _files(deployment, script)
            for location, match in script.search(MKDIR) if CLOUD_WORK.search(script.text) else ():
                yield WORKING_DIRECTORY.at(
                    location, match[0], "mkdir fails when the directory is there", f"mkdir -p {match['path']}"
                )


def _continuations(script: Script) -> Iterator[Finding]:
    for index, line in enumerate(script.lines):
        before = script.lines[index - 1] if index else ""
        following = script.lines[index + 1] if index + 1 < len(script.lines) else ""
        if re.search(r"[\w/.]\\$", line) and re.match(r"--?[A-Za-z]", following) and not line.lstrip().startswith("#"):
            yield GLUED.at(
                script.location(index, len(line)),
                line,
                f"the shell takes backslash and line end away: …{line[-9:-1]}{following[:9]}…",
                f"{line[:-1].strip()} \\",
                Replacement("\\", " \\"),
            )
        if BLANK_AFTER_BACKSLASH.search(line) and not line.lstrip().startswith("#"):
            column = len(line.rstrip())
            yield SPACE_AFTER_BACKSLASH.at(
                script.location(index, column),
                line,
                "the backslash escapes the space, not the line's end",
                "end the line with the backslash",
                Replacement(line[column - 1 :], "\\"),
            )
        if _continues_without_backslash(before, line, following):
            column = len(line.rstrip()) or 1
            yield LOST_BACKSLASH.at(
                script.location(index, column),
                line,
                f"the next line starts with an option: {following.strip()}",
                f"{line.strip()} \\",
                Replacement(line.rstrip()[-1:], line.rstrip()[-1:] + " \\"),
            )


def _continues_without_backslash(before: str, line: str, following: str) -> bool:
    line, following = line.rstrip(), following.strip()
    if not line.strip() or line.endswith("\\") or line.lstrip().startswith("#"):
        return False
    # a list item of YAML or Markdown inside a here-document is "- x"; an option has no space behind its dash
    if not re.match(r"--?[A-Za-z]", following):
        return False
    if TEMPLATE_TAG.search(line):
        return False  # which lines a renderer leaves, and how they end, is not known
    return before.rstrip().endswith("\\") or bool(
        re.match(r"\s*(?:exec\s+|time\s+)*(?:openstack|virt-customize|nova|heat)\b", line)
    )


def _make(script: Script) -> Iterator[Finding]:
    for location, match in script.search(MAKE_JOBS):
        yield MAKE_WITHOUT_LIMIT.at(
            location,
            match[0],
            "grep -c counts 0 on every machine whose /proc/cpuinfo lacks that word",
            'make -j "$(nproc)"',
        )
    for location, match in script.search(MAKE_WARNING):
        yield COMPILER_FLAG_FOR_MAKE.at(
            location,
            match["flag"],
            f"{match['flag']} is an option of the compiler",
            f"make … EXTRA_NVCCFLAGS={match['flag']}",
        )


def _projects_of_stack(deployment: Deployment, command: Command) -> set[str]:
    """Projects that the template of an `openstack stack create` makes."""
    template_name = (command.option("-t", "--template") or "").rsplit("/", 1)[-1]
    found = set()
    for template in deployment.files.templates:
        if template.path.name != template_name:
            continue
        for _, resource in resources(template):
            kind = resource.get("type")
            name = resource.find("properties", "name")
            if kind is not None and kind.text == "OS::Keystone::Project" and name is not None:
                parameter = name.get("get_param")
                default = template.find("parameters", parameter.text, "default") if parameter else name
                found.add(default.text if default is not None else "")
    return found


def _order(deployment: Deployment, commands: list[Command]) -> Iterator[Finding]:
    quotas = [
        command for command in commands if command.runs("openstack", "quota", "set") and "--class" not in command.words
    ]
    for quota in quotas:
        project = quota.words[-1]
        later = [command for command in commands[commands.index(quota) + 1 :] if _makes(deployment, command, project)]
        before = [command for command in commands[: commands.index(quota)] if _makes(deployment, command, project)]
        if later and not before:
            yield USED_BEFORE_MADE.at(
                quota.location,
                quota.text,
                f"project '{project}' is made later, in line {later[0].location.line}",
                f"set the quota after line {later[0].location.line}",
            )
    yield from _unwaited(commands)


def _makes(deployment: Deployment, command: Command, project: str) -> bool:
    if command.runs("openstack", "project", "create"):
        return command.words[-1] == project
    if not command.runs("openstack", "stack", "create"):
        return False
    made = _projects_of_stack(deployment, command)
    known = (command.option("-t", "--template") or "").rsplit("/", 1)[-1] in {
        path.name for path in deployment.files.texts
    }
    # a template that we were not given may make it: the admin's stack does, by its name
    return project in made or (not known and "admin" in command.text)


def _unwaited(commands: list[Command]) -> Iterator[Finding]:
    for index, command in enumerate(commands):
        if not command.runs("openstack", "stack", "create") or "--wait" in command.words:
            continue
        for later in commands[index + 1 :]:
            if later.runs("openstack", "stack", "create") or later.runs("openstack", "server", "create"):
                yield NOT_WAITED_FOR.at(
                    command.location,
                    command.text,
                    f"the command returns at once; line {later.location.line} needs what it makes",
                    f"{command.text} --wait",
                )
                break


def _files(deployment: Deployment, script: Script) -> Iterator[Finding]:
    """Relative paths below a directory that we were given whole."""
    roots = [root for root in deployment.files.roots if root.is_dir()]
    for command in script.commands():
        for option in ("-t", "--template", "-e", "--environment", "-r"):
            for value in command.options(option):
                if RELATIVE_FILE.match(value) and command.runs("openstack") and _is_missing(roots, value):
                    yield FILE_NOT_THERE.at(
                        _location_of(script, command, value),
                        value,
                        "its directory is here, the file is not",
                        "add the file, or correct the name",
                    )


def _is_missing(roots: list[Path], value: str) -> bool:
    return any((root / value).parent.is_dir() and not (root / value).exists() for root in roots)


def _location_of(script: Script, command: Command, value: str) -> Location:
    for index in range(command.location.line - script.first_line, len(script.lines)):
        if value in script.lines[index]:
            return script.location(index, script.lines[index].index(value) + 1)
    return command.location
