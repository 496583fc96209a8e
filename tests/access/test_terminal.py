"""Text from outside acts nowhere in a terminal; pytest's own colours stay."""

from __future__ import annotations

import io
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from access.progress import Progress
from access.terminal import HarmlessStream, printable, say
from lab import text as lab_text

HOSTILE = {
    "colours": "\x1b[31mred\x1b[0m",
    "the window's title": "\x1b]0;owned\x07",
    "a cleared screen": "\x1b[2J\x1b[H",
    "an answer typed for the user": "\x1b[6n\x1bP$q q\x1b\\",
    "a line written over": "FAILED\rPASSED",
    "erased words": "FAILED\x08\x08\x08\x08\x08\x08PASSED",
    "8-bit controls": "\x9b31mred\x9d0;owned\x9c",
    "turned text": "\u202egnp.exe",
    "no width": "pass\u200bword\ufeff",
    "another character set": "\x0e\x0f\x1b(0",
    "a bell and a null": "\x07\x00",
    "a link": "\x1b]8;;file:///etc/shadow\x1b\\click\x1b]8;;\x1b\\",
}


def acts(text: str) -> bool:
    """Whether a character could do something but stand there."""
    return any(not (character.isprintable() or character in "\n\t") for character in text)


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("shown", [printable, lab_text.printable], ids=["suite", "lab"])
def test_a_control_character_is_shown_and_not_sent(name: str, shown) -> None:
    """Its picture stands where it stood."""
    assert not acts(shown(HOSTILE[name]))


@given(st.text())
def test_no_text_acts_and_none_is_lost(text: str) -> None:
    """Whatever is printed; what is printable stays as it is, and the lab does the same."""
    shown = printable(text)

    assert shown == lab_text.printable(text)
    assert all(character.isprintable() or character in "\n\t" or not _is_control(character) for character in shown)
    assert shown.startswith(text[: next((i for i, c in enumerate(text) if not c.isprintable()), len(text))])


def _is_control(character: str) -> bool:
    return ord(character) < 0x20 or 0x7F <= ord(character) < 0xA0


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("colours", [True, False])
def test_pytests_stream_sends_no_more_than_colours(name: str, colours: bool) -> None:
    """Of its own they stay where the terminal has them; the rest is shown."""
    below = io.StringIO()

    HarmlessStream(below, colours=colours).write(f"\x1b[1m{HOSTILE[name]}\x1b[0m")

    sent = below.getvalue()
    assert sent.startswith("\x1b[1m") is colours
    assert not acts(sent.replace("\x1b[1m", "").replace("\x1b[0m", "").replace("\x1b[31m", "")), repr(sent)


def test_progress_is_one_harmless_line() -> None:
    """A step's name or a stack's reason may hold anything."""
    below = io.StringIO()

    Progress(below).say("stack: \x1b[2J\nFAILED")

    assert below.getvalue().endswith("stack: ␛[2J␊FAILED\n")


def test_say_prints_to_the_stream_of_the_moment(capsys: pytest.CaptureFixture[str]) -> None:
    """Standard output, or another one."""
    say("a\x1b[31m")
    say(ValueError("b\x07"), sys.stderr)

    assert capsys.readouterr() == ("a␛[31m\n", "b␇\n")
