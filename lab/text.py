"""Text of machines and services, harmless in a terminal: control characters are shown and not sent.

The same as access.terminal, which the lab cannot import; a test compares them.
"""

from __future__ import annotations

import re
import sys
from typing import TextIO

_CONTROLS = {code: chr(0x2400 + code) for code in range(32) if chr(code) not in "\n\t"} | {0x7F: "\u2421"}
_HIDDEN = re.compile("[\u0080-\u009f\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")


def printable(text: str) -> str:
    """Control characters as pictures (␛), hidden ones by their number ([U+202E]); ends of lines and tabs stay."""
    if text.replace("\n", " ").replace("\t", " ").isprintable():
        return text
    return _HIDDEN.sub(lambda found: f"[U+{ord(found.group()):04X}]", text.translate(_CONTROLS))


def say(text: object, stream: TextIO | None = None, *, end: str = "\n") -> None:
    """Print it; to standard output where no stream is given."""
    print(printable(str(text)), file=stream or sys.stdout, end=end, flush=True)


def pass_on(text: str, stream: TextIO) -> None:
    """The output of a command that the user gave: harmless in a terminal, unchanged in a pipe, as `ls` does it."""
    stream.write(printable(text) if stream.isatty() else text)
