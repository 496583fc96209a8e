"""nvbandwidth -j: a run as JSON."""

from __future__ import annotations

import json
import re
from typing import Any

from access.errors import ParseError, ToolFailure
from probes.nvbandwidth_run import DESCRIPTION, TOOL, Matrix, NvBandwidth, cuda_version, refuse_other_sum, unit_of
from probes.reading import bounded, number_of

ROUNDING_JSON = 1e-5
"""JSON gives six digits."""


def parse_json(text: str) -> NvBandwidth:
    """Read a run as JSON.

    Raises:
        ToolFailure: it holds an error, or a test that failed.
        ParseError: no JSON, another shape, or a sum that is not the one of its cells.
    """
    root = _load(text)
    if "error" in root:
        raise ToolFailure(TOOL, "failed", "the tool reports an error", line=str(root["error"]))
    tests = root.get("testcases")
    if not isinstance(tests, list) or not tests:
        raise ParseError(TOOL, "no testcases in the answer", line=text[:200])
    matrices: dict[str, Matrix] = {}
    waived: list[str] = []
    for test in tests:
        name = str(test.get("name", "")) if isinstance(test, dict) else ""
        if not name or name in matrices or name in waived:
            raise ParseError(TOOL, "a testcase without name, or twice", line=str(test))
        if test.get("status") == "Waived":
            waived.append(name)
        else:
            matrices[name] = _json_matrix(name, test)
    runtime = root.get("CUDA Runtime Version")
    version = _text(root, "version") or _text(root, "git_version")
    return NvBandwidth(
        version.removeprefix("v") if version else None,
        _json_cuda(runtime),
        _text(root, "Driver Version"),
        (),
        matrices,
        tuple(waived),
    )


def _load(text: str) -> dict[str, Any]:
    try:
        data = json.loads(bounded(TOOL, text).strip("\ufeff"))
    except ValueError as error:
        at = getattr(error, "pos", 0)
        raise ParseError(TOOL, f"no JSON: {error}"[:200], line=text[max(0, at - 80) : at + 80]) from error
    except RecursionError as error:
        raise ParseError(TOOL, "JSON that is nested too deep", line=text[:80]) from error
    root = data.get("nvbandwidth") if isinstance(data, dict) else None
    if not isinstance(root, dict):
        raise ParseError(TOOL, "no object nvbandwidth in the answer", line=text[:200])
    return root


def _text(root: dict[str, Any], key: str) -> str | None:
    value = root.get(key)
    if value is not None and not isinstance(value, str):
        raise ParseError(TOOL, f"{key} is no text", line=repr(value))
    return value or None


def _json_cuda(value: Any) -> str | None:
    if value is None:
        return None
    text = str(value)
    if not re.fullmatch(r"[0-9]{4,6}|[0-9]{1,2}\.[0-9]{1,2} \([0-9]{4,6}\)", text):
        raise ParseError(TOOL, "CUDA Runtime Version is no version", line=text)
    return cuda_version(text)


def _json_matrix(name: str, test: dict[str, Any]) -> Matrix:
    if test.get("status") != "Passed":
        raise ToolFailure(TOOL, "test-failed", f"{name} has status {test.get('status')}", line=str(test))
    rows, description = test.get("bandwidth_matrix"), test.get("bandwidth_description")
    total: Any = test.get("sum")
    unit = DESCRIPTION.fullmatch(description.strip()) if isinstance(description, str) else None
    if not isinstance(rows, list) or not rows or unit is None or not _is_figure(total):
        raise ParseError(TOOL, f"{name} without matrix, description or sum", line=str(test))
    cells = tuple(tuple(_json_cell(cell) for cell in row) if isinstance(row, list) else () for row in rows)
    if not cells[0] or any(len(row) != len(cells[0]) for row in cells):
        raise ParseError(TOOL, f"the matrix of {name} is not rectangular", line=str(rows))
    largest = max((abs(cell or 0.0) for row in cells for cell in row), default=0.0)
    refuse_other_sum(
        name, cells, float(total), ROUNDING_JSON * largest * len(cells) * len(cells[0]) + 1e-9, str(test), None
    )
    return Matrix(name, unit_of(unit[1]), cells, float(total))


def _is_figure(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e18


def _json_cell(cell: Any) -> float | None:
    return None if cell == "N/A" else number_of(TOOL, str(cell), repr(cell), 0)
