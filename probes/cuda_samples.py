"""Programs of the CUDA samples: found by name, for their folder differs by version; and how they say that they failed."""

from __future__ import annotations

import re

from probes.host import CommandOutput, Host
from provisioning.errors import CommandError, ToolFailure, ToolMissing

FIND = 'find "$HOME" /usr/local/cuda*/ /opt -name {name} -type f -perm -u+x 2>/dev/null | head -n 1'
SAFE_NAME = re.compile(r"[A-Za-z0-9_]+")
RETURNED = re.compile(r"\s*cuda\w{1,60} returned ([0-9]{1,4})")
EXPLAINED = re.compile(r"\s*-> (.{1,200})")
CODE = re.compile(r"\s*CUDA error at [^ ]{1,200}:[0-9]+ code=([0-9]{1,4})\((\w{1,80})\)")
OLD_CODE = re.compile(r".{0,300}CUDA (?:Runtime|Driver) API error (?:= ?)?([0-9]{1,4})\b:?(.{0,200})")
FAILURE = re.compile(r"\s*Cuda failure [^ ]{1,200}:[0-9]+: '(.{1,200})'")
SAID = re.compile(
    r"\s*(?:There (?:are|is) no (?:available )?device.*|!!!!!No devices found!!!!!|no CUDA-capable devices? (?:is|are|were) .*"
    r"|.*is running in <Compute Mode Prohibited>.*|!!!!!Invalid GPU number .*|Result = FAIL|FAILED)"
)
REMEDIES = {
    "cuda-3": "the driver could not start: see dmesg (NVRM, Xid) and nvidia-smi",
    "cuda-35": "the driver is older than this CUDA: install a newer driver, or an older CUDA",
    "cuda-38": "no driver, or no card: see lspci, lsmod and /dev/nvidia*",
    "cuda-100": "no driver, or no card: see lspci, lsmod and /dev/nvidia*",
    "cuda-802": "a machine with NVSwitch: start nvidia-fabricmanager of exactly the driver's version",
    "cuda-803": "library and module of the driver differ: reboot, or remove a foreign libcuda (cuda-compat)",
    "cuda-804": "the forward compatibility package does not support this card: remove cuda-compat",
    "cuda-999": "see dmesg (NVRM, Xid); reboot the machine",
}


def refuse_failures(tool: str, lines: list[str]) -> None:
    """Let no answer pass that says of itself that it failed.

    Raises:
        ToolFailure: of kind cuda-CODE where there is one, else "failed".
    """
    for number, line in enumerate(lines, start=1):
        if len(line) > 2000:
            continue
        explained = EXPLAINED.match(lines[number]) if number < len(lines) else None
        kind, reason = _failure(line, explained[1] if explained else "")
        if kind:
            raise ToolFailure(tool, kind, reason, line=line, line_number=number, remedy=REMEDIES.get(kind, ""))


def _failure(line: str, explanation: str) -> tuple[str, str]:
    """Kind and reason; empty when the line is no failure."""
    if match := RETURNED.match(line):
        return f"cuda-{int(match[1])}", explanation or "CUDA refuses"
    if match := CODE.match(line):
        return f"cuda-{int(match[1])}", match[2]
    if match := OLD_CODE.match(line):
        return f"cuda-{int(match[1])}", match[2].strip() or "CUDA refuses"
    if match := FAILURE.match(line):
        return "failed", match[1]
    return ("failed", "it says that it failed") if SAID.fullmatch(line) else ("", "")


def run_sample(host: Host, name: str, arguments: str = "", *, timeout_s: float = 300.0) -> CommandOutput:
    """Run a sample.

    Raises:
        ToolMissing: no executable of that name.
        CommandTimeout: it hangs.
        CommandError: another exit code than 0; carries what it said.
    """
    if not SAFE_NAME.fullmatch(name):
        raise ValueError(name)
    path = host.run(FIND.format(name=name), timeout_s=60).stdout.strip()
    if not path:
        raise ToolMissing(f"no program {name} of the CUDA samples", command=FIND.format(name=name), host=host.name)
    output = host.run(f"{path} {arguments}".strip(), timeout_s=timeout_s)
    if output.exit_code != 0:
        raise CommandError(
            f"{name} failed",
            command=output.command,
            host=output.host,
            exit_code=output.exit_code,
            stdout=output.stdout,
            stderr=output.stderr,
            remedy=_remedy(output.stdout + output.stderr),
        )
    return output


def _remedy(text: str) -> str:
    try:
        refuse_failures("", text.splitlines())
    except ToolFailure as failure:
        return failure.remedy
    return ""
