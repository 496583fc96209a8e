"""What scripts do to files: paths that miss, sed that matches nothing, results that are not looked at."""

from __future__ import annotations

import re
from collections.abc import Iterator

from preflight.catalogue import rule
from preflight.client import match
from preflight.deployment import Deployment
from preflight.finding import Finding, Location
from preflight.rules import command_arguments
from preflight.shell_source import Script

TWO_PLACES = rule("GP609")
TIME_EXEC = rule("GP610")
UPLOADED_ANYWAY = rule("GP611")
SED_MATCHES_NOTHING = rule("GP612")
KEYSTONE_V2 = rule("GP613")
EXIT_CODE_LIES = rule("GP614")
NO_DOMAIN = rule("GP615")
RULES = (
    TWO_PLACES,
    TIME_EXEC,
    UPLOADED_ANYWAY,
    SED_MATCHES_NOTHING,
    KEYSTONE_V2,
    EXIT_CODE_LIES,
    NO_DOMAIN,
    *command_arguments.RULES,
)
AT_HOME = re.compile(r"(?<![\w/])(?:~|\$HOME|\$\{HOME\})/(?P<path>[\w.-]+(?:/[\w.-]+)*)")
CHANGES_DIRECTORY = re.compile(r"^[ \t]*(?:cd|pushd)\s", re.M)
ABORTS = re.compile(r"^[ \t]*set\s+-\w*e|^#!.*\ssh?\s*-\w*e|-o\s+errexit", re.M)
SED_FILE = re.compile(
    r"\bsed\b(?P<arguments>.*?)\s(?P<file>[~\w./$-]+\.(?:ya?ml|conf|rc|sh|cfg|json)|[\w./~-]*rc)\s*(?:$|[>;&|])"
)
SUBSTITUTION = re.compile(
    r"(?<![\w])s(?P<mark>[/|#,@!])(?P<old>(?:\\.|(?!(?P=mark)).)*)(?P=mark)(?P<new>(?:\\.|(?!(?P=mark)).)*)(?P=mark)"
)
ALWAYS_0 = re.compile(
    r"(?:\bif\s+(?:!\s*)?|^[ \t]*)(?:\S*/)?(?P<tool>gpu_burn)\b[^|;&\n]*?(?:;\s*then|&&|\|\||$)"
    r"|(?:\bif\s+(?:!\s*)?)(?:\S*/)?(?P<smi>nvidia-smi)\s*(?:>\s*\S+\s*)?(?:2>&1\s*)?;\s*then"
)
V2_URL = re.compile(r"^[ \t]*export\s+OS_AUTH_URL=(?P<url>\S+/v2\.0/?)[\"']?\s*$", re.M)


def check(deployment: Deployment) -> Iterator[Finding]:
    """Findings of this concern."""
    for script in deployment.files.scripts:
        yield from _two_paths(script)
        yield from _upload(script)
        yield from _sed(deployment, script)
        for location, found in script.search(ALWAYS_0):
            tool = found["tool"] or found["smi"]
            yield EXIT_CODE_LIES.at(
                location,
                found[0],
                f"{tool} answers 0 whatever it found",
                "read its output: 'GPU n: OK' of each card, every field of nvidia-smi -q",
            )
        for command in script.commands():
            if command.words[:2] == ("time", "exec"):
                yield TIME_EXEC.at(
                    command.location, "time exec", "nothing is left to print the time", "time openstack …, without exec"
                )
    yield from _rc_files(deployment)
    yield from command_arguments.check(deployment)


def _two_paths(script: Script) -> Iterator[Finding]:
    if script.in_template or CHANGES_DIRECTORY.search(script.text):
        return
    first: dict[str, int] = {}
    for location, found in script.search(AT_HOME):
        first.setdefault(found["path"].split("/")[0], location.line)
    for index, line in enumerate(script.lines):
        words = [] if line.lstrip().startswith("#") else line.split()
        for word in words[1:]:
            head, _, rest = word.partition("/")
            is_path = bool(rest) or words[0] == "sed"
            if head in first and is_path and re.fullmatch(r"[\w.-]+(?:/[\w.-]+)*", word):
                column = line.index(word) + 1
                yield TWO_PLACES.at(
                    script.location(index, column),
                    word,
                    f"line {first[head]} has it as ~/{head}",
                    f"~/{word} in both places",
                )
                first.pop(head)


def _upload(script: Script) -> Iterator[Finding]:
    """virt-customize, then an upload, and nothing stops in between."""
    if ABORTS.search(script.text):
        return
    made = [command for command in script.commands() if command.runs("virt-customize")]
    if not made or any("||" in command.text or "&&" in command.text for command in made):
        return
    for command in script.commands():
        if command.runs("openstack", "image", "create") and command.location.line > made[0].location.line:
            yield UPLOADED_ANYWAY.at(
                command.location,
                command.text,
                f"nothing looks whether line {made[-1].location.line} worked",
                "`set -e` at the script's top",
            )
            return


def _sed(deployment: Deployment, script: Script) -> Iterator[Finding]:
    for location, found in script.search(SED_FILE):
        path = match(found["file"], deployment.files.texts, script.path)
        if path is None or path == script.path:
            continue
        text = deployment.files.texts[path]
        for change in SUBSTITUTION.finditer(found["arguments"]):
            pattern = _python_pattern(change["old"], extended=bool(re.search(r"\s-\w*[rE]", found["arguments"])))
            if pattern is None or "$" in change["old"].rstrip("$") or change["new"] in text:
                continue
            if not any(pattern.search(line) for line in text.splitlines()):
                yield SED_MATCHES_NOTHING.at(
                    Location(location.path, location.line, location.column),
                    change[0],
                    f"no line of {path.name} matches {change['old']!r}",
                    f"compare with {path.name}, and look with grep -q whether the change is there",
                )


def _python_pattern(text: str, *, extended: bool) -> re.Pattern[str] | None:
    """A sed expression as Python's; None if the two differ too much."""
    if "[[:" in text or "\\<" in text or "\\>" in text:
        return None
    if not extended:  # in basic expressions the plain characters are the escaped ones
        text = re.sub(r"\\([+?(){}|])|([+?(){}|])", lambda found: found[1] or "\\" + found[2], text)
    try:
        return re.compile(text)
    except re.error:
        return None


def _rc_files(deployment: Deployment) -> Iterator[Finding]:
    for path in deployment.files.rc_files:
        text = deployment.files.texts[path]
        for found in V2_URL.finditer(text):
            location = Location(path, text.count("\n", 0, found.start("url")) + 1)
            if deployment.release is None or deployment.is_at_least("queens"):
                yield KEYSTONE_V2.at(
                    location,
                    found["url"],
                    "Keystone answers only below /v3",
                    "the URL with /v3, OS_IDENTITY_API_VERSION=3, OS_USER_DOMAIN_NAME and OS_PROJECT_DOMAIN_NAME",
                )
        version3 = re.search(r"^[ \t]*export\s+OS_(?:AUTH_URL=\S+/v3\b|IDENTITY_API_VERSION=[\"']?3)", text, re.M)
        has_password = re.search(r"^[ \t]*export\s+OS_PASSWORD=", text, re.M)
        if version3 and has_password and not re.search(r"OS_\w*DOMAIN\w*=", text):
            line = text.count("\n", 0, version3.start()) + 1
            yield NO_DOMAIN.at(
                Location(path, line),
                version3[0],
                "version 3 finds users and projects in a domain",
                "export OS_USER_DOMAIN_NAME=Default and OS_PROJECT_DOMAIN_NAME=Default",
            )
