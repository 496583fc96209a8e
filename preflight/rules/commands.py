"""Deploy scripts: what the shell makes of them, and the order of what they do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from preflight.deployment import Deployment, resources
from preflight.finding import Finding, Place, Replacement, Rule, Severity
from preflight.shell_source import Command, Script

SHELL = "https://www.gnu.org/software/bash/manual/bash.html#Escape-Character"
CLIENT = "https://docs.openstack.org/python-openstackclient/latest/cli/command-list.html"
LOST_BACKSLASH = Rule("GP601", "A line continuation without its backslash", Severity.ERROR, "the options after it never reach the command: 'command not found', or silence after exec", SHELL)  # fmt: skip
SPACE_AFTER_BACKSLASH = Rule("GP602", "White space behind a backslash at the end of a line", Severity.ERROR, "the command ends here; the next line runs as a command of its own", SHELL)  # fmt: skip
USED_BEFORE_MADE = Rule("GP603", "A project, user or file is used before it is made", Severity.ERROR, "the command fails: 'No project with a name or ID of … exists'", CLIENT)  # fmt: skip
NOT_WAITED_FOR = Rule("GP604", "The next command needs a stack that nobody waits for", Severity.WARNING, "now and then: the user or network does not exist yet", CLIENT)  # fmt: skip
FILE_NOT_THERE = Rule("GP605", "A script names a file that is not among these files", Severity.ERROR, "the command stops: no such file", CLIENT)  # fmt: skip
MAKE_WITHOUT_LIMIT = Rule("GP606", "make -j with a number that may be 0 or missing", Severity.ERROR, "make stops: 'the -j option requires a positive integer argument'; or starts every job at once", "https://www.gnu.org/software/make/manual/make.html#Parallel")  # fmt: skip
COMPILER_FLAG_FOR_MAKE = Rule("GP607", "A compiler's flag given to make", Severity.WARNING, "nowhere: make takes -W… for a file name, the compiler never sees it", "https://www.gnu.org/software/make/manual/make.html#Options-Summary")  # fmt: skip
WORKING_DIRECTORY = Rule("GP608", "mkdir without -p in a script that runs more than once", Severity.WARNING, "at the second run: 'File exists'", "https://man7.org/linux/man-pages/man1/mkdir.1.html")  # fmt: skip
GLUED = Rule("GP619", "A continuation that joins two words", Severity.ERROR, "the command stops: 'unrecognized arguments', or a file that is not there", SHELL)  # fmt: skip
RULES = (
    GLUED, LOST_BACKSLASH, SPACE_AFTER_BACKSLASH, USED_BEFORE_MADE, NOT_WAITED_FOR, FILE_NOT_THERE, MAKE_WITHOUT_LIMIT,
    COMPILER_FLAG_FOR_MAKE, WORKING_DIRECTORY,
)  # fmt: skip
BLANK_AFTER_BACKSLASH = re.compile(r"\\[ \t]+$")
MAKE_JOBS = re.compile(r"\bmake\b.*?(?P<jobs>(?:-j|--jobs=?)\s*(?:\$\(\s*(?:e?grep)\s+-c\b[^)]*\)|`\s*e?grep\s+-c\b[^`]*`|0\b))")  # fmt: skip
MAKE_WARNING = re.compile(r"\bmake\b.*\s(?P<flag>-W(?:no-|all\b|error\b|extra\b)\S*)")
MKDIR = re.compile(r"^\s*(?:sudo\s+)?mkdir\s+(?!.*-\w*p)(?P<path>\S+)")
CLOUD_WORK = re.compile(r"^\s*(?:sudo\s+)?(?:openstack|virt-customize|nova|glance|heat)\s", re.M)
RELATIVE_FILE = re.compile(r"^[\w.-]+(?:/[\w.-]+)+\.(?:ya?ml|sh|json)$")


def check(deployment: Deployment) -> Iterator[Finding]:
    """Findings of this concern."""
    for script in deployment.files.scripts:
        yield from _continuations(script)
        yield from _make(script)
        if not script.in_template:
            yield from _order(deployment, script.commands())
            yield from _files(deployment, script)
            for place, match in script.search(MKDIR) if CLOUD_WORK.search(script.text) else ():
                yield WORKING_DIRECTORY.at(
                    place, match[0], "mkdir fails when the directory is there", f"mkdir -p {match['path']}"
                )


def _continuations(script: Script) -> Iterator[Finding]:
    for index, line in enumerate(script.lines):
        following = script.lines[index + 1] if index + 1 < len(script.lines) else ""
        if re.search(r"[\w/.]\\$", line) and re.match(r"--?[A-Za-z]", following) and not line.lstrip().startswith("#"):
            yield GLUED.at(
                script.place(index, len(line)), line, f"the shell takes backslash and line end away: …{line[-9:-1]}{following[:9]}…",
                f"{line[:-1].strip()} \\", Replacement("\\", " \\"),
            )  # fmt: skip
        if BLANK_AFTER_BACKSLASH.search(line) and not line.lstrip().startswith("#"):
            column = len(line.rstrip())
            yield SPACE_AFTER_BACKSLASH.at(
                script.place(index, column), line, "the backslash escapes the space, not the line's end",
                "end the line with the backslash", Replacement(line[column - 1 :], "\\"),
            )  # fmt: skip
        if _continues_without_backslash(script.lines, index):
            column = len(line.rstrip()) or 1
            yield LOST_BACKSLASH.at(
                script.place(index, column), line, f"the next line starts with an option: {script.lines[index + 1].strip()}",
                f"{line.strip()} \\", Replacement(line.rstrip()[-1:], line.rstrip()[-1:] + " \\"),
            )  # fmt: skip


def _continues_without_backslash(lines: tuple[str, ...], index: int) -> bool:
    if index + 1 >= len(lines):
        return False
    line, following = lines[index].rstrip(), lines[index + 1].strip()
    if not line.strip() or line.endswith("\\") or line.lstrip().startswith("#"):
        return False
    # a list item of YAML or Markdown inside a here-document is "- x"; an option has no space behind its dash
    if not re.match(r"--?[A-Za-z]", following):
        return False
    inside = index > 0 and lines[index - 1].rstrip().endswith("\\")
    return inside or bool(re.match(r"\s*(?:exec\s+|time\s+)*(?:openstack|virt-customize|nova|heat)\b", line))


def _make(script: Script) -> Iterator[Finding]:
    for place, match in script.search(MAKE_JOBS):
        yield MAKE_WITHOUT_LIMIT.at(
            place,
            match[0],
            "grep -c counts 0 on every machine whose /proc/cpuinfo lacks that word",
            'make -j "$(nproc)"',
        )
    for place, match in script.search(MAKE_WARNING):
        yield COMPILER_FLAG_FOR_MAKE.at(
            place,
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
                quota.place, quota.text, f"project '{project}' is made later, in line {later[0].place.line}",
                f"set the quota after line {later[0].place.line}",
            )  # fmt: skip
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
                    command.place, command.text, f"the command returns at once; line {later.place.line} needs what it makes",
                    f"{command.text} --wait",
                )  # fmt: skip
                break


def _files(deployment: Deployment, script: Script) -> Iterator[Finding]:
    """Relative paths below a directory that we were given whole."""
    roots = [root for root in deployment.files.roots if root.is_dir()]
    for command in script.commands():
        for option in ("-t", "--template", "-e", "--environment", "-r"):
            for value in command.options(option):
                if RELATIVE_FILE.match(value) and command.runs("openstack") and _is_missing(roots, value):
                    yield FILE_NOT_THERE.at(
                        _place_of(script, command, value), value, "its directory is here, the file is not",
                        "add the file, or correct the name",
                    )  # fmt: skip


def _is_missing(roots: list[Path], value: str) -> bool:
    return any((root / value).parent.is_dir() and not (root / value).exists() for root in roots)


def _place_of(script: Script, command: Command, value: str) -> Place:
    for index in range(command.place.line - script.first_line, len(script.lines)):
        if value in script.lines[index]:
            return script.place(index, script.lines[index].index(value) + 1)
    return command.place
