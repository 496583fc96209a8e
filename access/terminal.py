"""Text from outside, harmless in a terminal: the one place through which it is shown.

A host, a file or a plugin may hand out control characters: they move the cursor, hide lines, set the window's title or
answer for the user. `printable` shows them instead of sending them.
"""

from __future__ import annotations

import re
import sys
from typing import TextIO

_CONTROLS = {code: chr(0x2400 + code) for code in range(32) if chr(code) not in "\n\t"} | {0x7F: "\u2421"}
_HIDDEN = re.compile("[\u0080-\u009f\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")
"""C1 controls, characters without width, lone surrogates and those that turn the direction of text (Unicode TR 36)."""
COLOUR = re.compile(r"\x1b\[(?:[0-9]{1,3}(?:;[0-9]{1,3}){0,4})?m")


def printable(text: str) -> str:
    """Control characters as pictures (␛), hidden ones by their number ([U+202E]): none of them acts where it is shown.

    Ends of lines and tabs stay.
    """
    if text.replace("\n", " ").replace("\t", " ").isprintable():
        return text  # nearly all texts, and a page has a million of them
    return _HIDDEN.sub(lambda found: f"[U+{ord(found.group()):04X}]", text.translate(_CONTROLS))


def say(text: object, stream: TextIO | None = None, *, end: str = "\n") -> None:
    """Print text from outside; to standard output where no stream is given."""
    print(printable(str(text)), file=stream or sys.stdout, end=end, flush=True)


class HarmlessStream:
    """A stream that takes its owner's colours and shows every other control character instead of sending it.

    Its owner is pytest: what it quotes of a host in a traceback, a warning or a log goes through here.
    """

    def __init__(self, stream: TextIO, *, colours: bool) -> None:
        self._stream = stream
        self._colours = colours

    def write(self, text: str) -> int:
        """Write it harmlessly; a carriage return may begin or end a line that is written over."""
        if self._colours:
            parts, marks = COLOUR.split(text), [*COLOUR.findall(text), ""]
            shown = "".join(_line(part) + mark for part, mark in zip(parts, marks, strict=True))
        else:
            shown = _line(text)
        self._stream.write(shown)
        return len(text)

    def __getattr__(self, name: str) -> object:
        """Everything else is the stream's."""
        return getattr(self._stream, name)


def _line(text: str) -> str:
    return "\r".join(map(printable, text.split("\r"))) if text[:1] == "\r" or text[-1:] == "\r" else printable(text)
