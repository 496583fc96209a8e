"""Run programs of the CUDA samples: find them by name, as folders differ by version, and recognise their failures."""

from __future__ import annotations

import re
import shlex

from access.errors import CommandError, ToolFailure, ToolMissing
from access.host import CommandOutput, Host
from probes.references import cuda_errors

ROOTS = (
    '"$HOME"',  # NVIDIA_CUDA-*_Samples, builds of github.com/NVIDIA/cuda-samples and of nvbandwidth, by make or CMake
    "/usr/local/cuda/",  # samples/bin/*/*/release, extras/demo_suite
    "/usr/local/cuda-*/",
    "/usr/local/cuda-samples*/",
    "/usr/local/nvbandwidth*/",
    "/usr/share/cuda*/",
    "/usr/lib/nvidia-cuda-toolkit/",
    "/opt",
)
"""Where the programs were in every version: 1_Utilities, since CUDA 12.9 5_Domain_Specific, or bin beside them.

Hidden folders, where caches are, are left out.
"""
FIND = (
    "command -v {names} || for root in "
    + " ".join(ROOTS)
    + '; do test -d "$root" && find "$root" -xdev -mindepth 1 -name ".*" -prune -o \\( -name {either} \\) '
    "-type f -perm -u+x -print 2>/dev/null | head -n 1; done | head -n 1"
)
IN_BUS_ORDER = "CUDA_DEVICE_ORDER=PCI_BUS_ID"
"""Else CUDA counts the fastest card first, and device 0 of a program is not GPU 0 of nvidia-smi.

https://docs.nvidia.com/cuda/cuda-c-programming-guide/index.html#env-vars
"""
SAMPLES = "https://github.com/NVIDIA/cuda-samples, https://github.com/NVIDIA/nvbandwidth"
SAFE_NAME = re.compile(r"[A-Za-z0-9_-]+")
RETURNED = re.compile(r"\s*cuda\w{1,60} returned ([0-9]{1,4})")
EXPLAINED = re.compile(r"\s*-> (.{1,200})")
CODE = re.compile(r"\s*CUDA error at [^ ]{1,200}:[0-9]+ code=([0-9]{1,4})\((\w{1,80})\)")
OLD_CODE = re.compile(r".{0,300}CUDA (?:Runtime|Driver) API error (?:= ?)?([0-9]{1,4})\b:?(.{0,200})")
LIBRARY = re.compile(r".{1,300}: error while loading shared libraries: (.{1,200}): cannot open shared object file.*")
LAST = re.compile(r".{0,300}getLastCudaError\(\) CUDA error : .{0,200}: \(([0-9]{1,4})\) (.{1,200})")
NAMED = re.compile(r".{0,200}\b(CUDA_ERROR_\w{1,60}|cudaError[A-Z]\w{1,60})\b\]?(.{0,200})")
WORDS = re.compile(
    r"\s*(?:Cuda failure [^ ]{1,200}:[0-9]+: '(.{1,200})'|Error in \"[^\"]{0,200}\" \([^)]{0,200}\): (.{1,200})"
    r"|(?:gpuDeviceInit\(\) CUDA error|findCudaDevice\(\) CUDA error|Couldn't init CUDA): (.{1,200}))"
)
"""Programs that print an error's words only."""
SAID = re.compile(
    r"\s*(?:There (?:are|is) no (?:available )?device.*|!!!!!No devices found!!!!!|"
    r"no CUDA-capable devices? (?:is|are|were) .*"
    r"|.*is running in <Compute Mode Prohibited>.*|!!!!!Invalid GPU number .*|Result = FAIL|FAILED)"
)
LIBRARY_MISSING = "library-missing"
INSTALL_LIBRARY = "install the package of the library, or name its folder in /etc/ld.so.conf.d and run ldconfig"


def refuse_failures(tool: str, lines: list[str]) -> None:
    """Raise if the answer reports its own failure.

    Raises:
        ToolFailure: of kind cuda-CODE where there is one, else "failed".
    """
    for number, line in enumerate(lines, start=1):
        if len(line) > 2000:
            continue
        explained = EXPLAINED.match(lines[number]) if number < len(lines) else None
        kind, reason = _failure(line, explained[1] if explained else "")
        if kind:
            raise ToolFailure(tool, kind, reason, line=line, line_number=number, remedy=_remedy(kind))


def _remedy(kind: str) -> str:
    if kind == LIBRARY_MISSING:
        return INSTALL_LIBRARY
    number = kind.removeprefix("cuda-")
    error = cuda_errors.numbered(int(number)) if number.isdigit() else None
    return error.remedy if error else ""


def _failure(line: str, explanation: str) -> tuple[str, str]:
    """Kind and reason; empty if the line is no failure."""
    if match := RETURNED.match(line):
        return f"cuda-{int(match[1])}", explanation or "CUDA refuses"
    if match := CODE.match(line):
        return f"cuda-{int(match[1])}", match[2]
    if match := OLD_CODE.match(line):
        return f"cuda-{int(match[1])}", match[2].strip() or "CUDA refuses"
    if match := LAST.match(line):
        return f"cuda-{int(match[1])}", match[2].strip()
    if (match := NAMED.match(line)) and (error := cuda_errors.named(match[1])):
        return f"cuda-{error.number}", error.words
    if match := LIBRARY.match(line):
        return LIBRARY_MISSING, f"{match[1]} is missing"
    if match := WORDS.match(line):
        said = str(match[1] or match[2] or match[3])
        known = cuda_errors.saying(said)
        return (f"cuda-{known.number}" if known else "failed"), said
    return ("failed", "it says that it failed") if SAID.fullmatch(line) else ("", "")


def path_of(host: Host, *names: str) -> str:
    """Path of a sample, or of another program that is built in the same way, e.g. nvbandwidth, under one of its names.

    Raises:
        ToolMissing: no executable of these names.
    """
    if not all(SAFE_NAME.fullmatch(name) for name in names):
        raise ValueError(names)
    command = FIND.format(names=" || command -v ".join(names), either=" -o -name ".join(names))
    path = host.run(command, timeout_s=60).stdout.strip()
    if not path:
        raise ToolMissing(
            f"no program {' or '.join(names)} of the CUDA samples",
            command=command,
            host=host.name,
            remedy=f"build it, in the home of the login user, below /usr/local or /opt: {SAMPLES}",
        )
    return shlex.quote(path)


def run_sample(
    host: Host, name: str, arguments: str = "", *, timeout_s: float = 300.0, path: str = "", folder: str = ""
) -> CommandOutput:
    """Run a sample, its devices in the order of their addresses; `path` is what `path_of` gave before.

    `folder` is where it runs, as the shell reads it; without it, in the login user's home.

    Raises:
        ToolMissing: no executable of that name.
        CommandTimeout: it hangs.
        CommandError: another exit code than 0; carries what it said.
    """
    enter = f"cd {folder} && " if folder else ""
    output = host.run(f"{enter}{IN_BUS_ORDER} {path or path_of(host, name)} {arguments}".strip(), timeout_s=timeout_s)
    if output.exit_code != 0:
        said = failure_in(output.stdout + output.stderr)
        raise CommandError(
            f"{name} failed",
            command=output.command,
            host=output.host,
            exit_code=output.exit_code,
            stdout=output.stdout,
            stderr=output.stderr,
            remedy=said.remedy if said else "",
        )
    return output


def failure_in(text: str) -> ToolFailure | None:
    """What a program says of its own failure; None if it does not say."""
    try:
        refuse_failures("", text.splitlines())
    except ToolFailure as failure:
        return failure
    return None
