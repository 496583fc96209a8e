"""The example of docs/contributing/proof.md is a proof."""

from __future__ import annotations

import re
from typing import Any

from proving import PROOFS, ROOT, judge

PAGE = ROOT / "docs/contributing/proof.md"


def test_the_example_is_a_proof() -> None:
    """Its check rejects its cloud with its cause."""
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102  our own page
    proof = PROOFS.pop()
    assert proof.broken is names["ADeletedInstanceKeepsItsClaim"]

    found = judge(proof.broken(), proof.check)

    assert [(item.check, item.verdict, item.cause) for item in found][:1] == [(proof.check, "failed", proof.cause)]
