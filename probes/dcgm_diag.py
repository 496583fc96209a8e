"""dcgmi diag -j: NVIDIA's own diagnostics of all cards, DCGM 2 to 4. Its JSON has no published schema.

https://docs.nvidia.com/datacenter/dcgm/latest/user-guide/dcgm-diagnostics.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from access.errors import ParseError, ToolFailure
from probes.reading import bounded

TOOL = "dcgmi diag"
ROOTS = ("DCGM Diagnostic", "DCGM GPU Diagnostic")
"""Since DCGM 4, and before."""
PASSED, FAILED, WARNED, SKIPPED = "pass", "fail", "warn", "skip"
STATES = {"pass": PASSED, "fail": FAILED, "warn": WARNED, "skip": SKIPPED, "skipped": SKIPPED, "notrun": SKIPPED}
REFUSED = re.compile(
    r"unable to establish a connection|Unable to connect|Connection to .{0,80}(?:refused|failed)", re.I
)
FAILED_TO_RUN = re.compile(r"Error: .{1,300}|.{0,200}runtime.error.{0,200}", re.I)
START = "systemctl start nvidia-dcgm (or nv-hostengine), and run it again"
ALL = ""


@dataclass(frozen=True)
class Complaint:
    """One thing that a test says against a card."""

    words: str
    number: int | None = None
    """dcgmError_t; None before DCGM 3.2."""
    severity: int | None = None


@dataclass(frozen=True)
class Result:
    """What one test came to on one card."""

    test: str
    gpu: str
    """Its number there; "" of a test of the whole machine."""
    state: str
    """pass, fail, warn or skip."""
    complaints: tuple[Complaint, ...] = ()


@dataclass(frozen=True)
class Diagnosis:
    """One run."""

    version: str | None
    results: tuple[Result, ...]

    @property
    def made(self) -> tuple[str, ...]:
        """Tests that looked at a card, each once."""
        return tuple(dict.fromkeys(result.test for result in self.results if result.state != SKIPPED))


def parse(text: str) -> Diagnosis:
    """Read the JSON; lines above it (warnings, a progress bar) are passed over.

    Raises:
        ToolFailure: it could not run; of kind no-service where its service is not there.
        ParseError: no JSON, cut off, or of another shape.
    """
    plain = bounded(TOOL, text)
    start, end = plain.find("{"), plain.rfind("}")
    if start < 0 or end < start:
        _refuse(plain)
    try:
        data = json.loads(plain[start : end + 1])
    except (ValueError, RecursionError) as error:
        raise ParseError(TOOL, f"no JSON: {error}", line=plain[:200]) from None
    body = next((data[root] for root in ROOTS if isinstance(data, dict) and root in data), None)
    if not isinstance(body, dict):
        raise ParseError(TOOL, f"none of {', '.join(ROOTS)}", line=plain[start : start + 200])
    results = tuple(_results(body))
    if not results:
        said = body.get("runtime_error") or body.get("Warning") or "no test"
        raise ToolFailure(TOOL, "failed", f"it tested nothing: {str(said)[:300]}", line=plain[:200])
    metadata = data.get("metadata")
    version = body.get("version") or (metadata.get("version") if isinstance(metadata, dict) else None)
    return Diagnosis(str(version)[:40] if version else None, results)


def _refuse(text: str) -> None:
    line = next((line for line in text.splitlines() if line.strip()), "")
    if REFUSED.search(text):
        raise ToolFailure(TOOL, "no-service", "its service does not answer", line=line[:200], remedy=START)
    if FAILED_TO_RUN.search(text):
        raise ToolFailure(TOOL, "failed", "it could not run", line=line[:200])
    raise ParseError(TOOL, "no JSON", line=line[:200])


def _results(body: Mapping[str, Any]) -> Iterator[Result]:
    for category in _mappings(body.get("test_categories")):
        for test in _mappings(category.get("tests")):
            name = test.get("name")
            if not isinstance(name, str) or not name:
                raise ParseError(TOOL, "a test without a name", line=str(test)[:200])
            for result in _mappings(test.get("results")):
                yield from _result(name[:80], result)


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    """A list of objects; DCGM 3 writes null between some."""
    if not isinstance(value, list) or any(item is not None and not isinstance(item, dict) for item in value):
        raise ParseError(TOOL, "not a list of objects", line=str(value)[:200])
    return [item for item in value if item is not None]


def _result(test: str, result: Mapping[str, Any]) -> Iterator[Result]:
    state = STATES.get(str(result.get("status")).lower().replace(" ", ""))
    if state is None:
        raise ParseError(TOOL, f"{test} has no known status", line=str(result)[:200])
    complaints = tuple(_complaints(result.get("warnings")))
    for gpu in _gpus(result):
        yield Result(test, gpu, state, complaints)


def _gpus(result: Mapping[str, Any]) -> list[str]:
    if result.get("entity_group") not in (None, "GPU"):
        return [ALL]
    told = next((result[key] for key in ("entity_id", "gpu_id", "gpu_ids") if key in result), None)
    return [ALL] if told is None else [word.strip()[:8] for word in str(told).split(",")]


def _complaints(warnings: Any) -> Iterator[Complaint]:
    for warning in warnings if isinstance(warnings, list) else [warnings] if warnings else []:
        if isinstance(warning, dict):
            number, severity = warning.get("error_id"), warning.get("error_severity")
            words = str(warning.get("warning", ""))[:500]
            yield Complaint(
                words, number if isinstance(number, int) else None, severity if isinstance(severity, int) else None
            )
        else:
            yield Complaint(str(warning)[:500])
