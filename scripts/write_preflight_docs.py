"""Write docs/preflight.md: how to use preflight, and every code with its symptom, cause and fix.

python scripts/write_preflight_docs.py
"""

from __future__ import annotations

import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))

from preflight.docs import page  # noqa: E402

if __name__ == "__main__":
    (REPOSITORY / "docs" / "preflight.md").write_text(page(), encoding="utf-8")
