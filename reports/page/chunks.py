"""Detail that a browser decodes when it is asked for: gzip in base64, the same bytes for the same text."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

LEVEL = 5


def packed(data: Any) -> str:
    """JSON, compressed; no character of it means anything to HTML."""
    text = json.dumps(data, ensure_ascii=True, separators=(",", ":"))
    return base64.b64encode(gzip.compress(text.encode("ascii"), LEVEL, mtime=0)).decode("ascii")
