"""Answers stand behind a marker: what a login prints is no part of them, and a login without a shell is told."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from access.answer import MARKER, Answer, command_line, why_no_answer


def run(argv: list[str]) -> tuple[Answer, str]:
    """Run one login shell; the answer's reader and the answer."""
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    answer = Answer()
    return answer, answer.feed(done.stdout)


@pytest.mark.parametrize("noise", ["", "*** Authorized use only ***\n", "no newline at the end", "--answer-76c\n"])
def test_what_a_login_prints_is_no_part_of_the_answer(noise: str) -> None:
    """Banners come before the marker, with or without a line end."""
    answer, text = run(["/bin/sh", "-c", f"printf '%s' '{noise}'; " + command_line("echo 'it''s'", as_root=False)])

    assert text == "its\n"
    assert answer.before == noise


@pytest.mark.parametrize("cut", range(1, len(MARKER) + 12))
def test_pieces_may_be_cut_anywhere(cut: int) -> None:
    """SSH delivers text in pieces of any length."""
    answer, text = Answer(), f"motd\n{MARKER}\nanswer\n"

    parts = [answer.feed(text[start : start + cut]) for start in range(0, len(text), cut)]

    assert "".join(parts) == "answer\n"
    assert answer.before == "motd\n"


@pytest.mark.parametrize("shell", ["sh", "bash", "dash", "tcsh"])
def test_any_login_shell_can_start_it(shell: str) -> None:
    """The login shell needs to understand one quoted word."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    command = """printf '%s' "a'b"; for word in 1 2; do echo " $word"; done"""

    _, text = run([shell, "-c", command_line(command, as_root=False)])

    assert text == "a'b 1\n 2\n"


def test_a_login_without_a_shell_begins_no_answer() -> None:
    """`nologin` prints a sentence and ends."""
    answer, text = run(["/bin/sh", "-c", "echo This account is currently not available.; exit 1"])

    assert (text, answer.has_begun) == ("", False)
    assert answer.before.startswith("This account")


@pytest.mark.parametrize(
    ("said", "as_root", "reason", "remedy"),
    [
        ("sudo: a password is required\n", True, "cannot become root without a password", "NOPASSWD"),
        ("sudo: sorry, you must have a tty to run sudo\n", True, "demands a terminal", "requiretty"),
        ("sh: sudo: not found\n", True, "not installed", "install sudo"),
        ("stack is not in the sudoers file.\nsudo: x", True, "cannot become root", "/etc/sudoers.d/stack"),
        ("This account is currently not available.\n", False, "gives no shell", "/etc/passwd"),
        ("", False, "gives no shell", "ForceCommand"),
    ],
)
def test_what_refuses_is_named_with_what_to_do(said: str, as_root: bool, reason: str, remedy: str) -> None:
    """sudo, its terminal, the shell: each has its own remedy."""
    told = why_no_answer(said, "stack", as_root=as_root)

    assert reason in told[0]
    assert remedy in told[1]
