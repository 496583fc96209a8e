"""What a host prints may hold secrets (nova.conf does): they never reach a record."""

from __future__ import annotations

import re

HIDDEN = "********"
_WORDS = r"(?:pass(?!through)|passwd|password|secret|token|private_key|api_?key|credential)"
_PATTERNS = (
    re.compile(rf"(?im)^(\s*[#;]?\s*(?:export\s+)?[\w.\-]*{_WORDS}[\w.\-]*\s*[=:]\s*)(?=\S)[^\n]+"),
    re.compile(rf"""(?i)(["'][\w.\-]*{_WORDS}[\w.\-]*["']\s*:\s*["'])[^"'\n]+"""),
    re.compile(r"(://[^\s:/@]+:)[^\s@/]+(?=@)"),
    re.compile(r"(-----BEGIN [A-Z ]*PRIVATE KEY-----)[\s\S]*?(?=-----END|\Z)"),
)


def without_secrets(text: str) -> str:
    """The text with every value of a password, token or key replaced."""
    for pattern in _PATTERNS:
        text = pattern.sub(lambda match: match.group(1) + HIDDEN, text)
    return text
