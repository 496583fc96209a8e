"""Many questions in one go: each answer is the one that it would have been alone."""

from __future__ import annotations

import base64
import gzip
import os
import string
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from access.errors import CommandError, CommandTimeout, ConnectError, LoginError
from access.host import CommandOutput
from access.local_host import LocalHost
from access.questions import LONGEST_SCRIPT_CHARS, Question, answers_of, ask_together, script_of

COMMANDS = (
    "echo plain",
    "printf 'no newline at the end'",
    "true",
    "printf '\\n\\nblank lines\\n\\n'",
    "echo said; echo complained >&2; exit 3",
    "exit 7",
    "no-such-program-here",
    "cat",
    'read -r line; echo "got:$line"',
    "echo 'quotes \"of\" '\"'both'\"' kinds' $((1 + 1)) `echo backticks` \\\\",
    "cd / && pwd",
    "pwd",
    "seq 20000",
    "seq 20000 >&2",
    "echo '--question-0-end 0 1.0 1.0'",
    "# a comment alone",
    "cat <<'end'\nhere\nend",
)


def test_each_answer_is_that_of_the_command_alone():
    """Streams, exit code and end of the last line are kept; nothing reads another's input or ends another."""
    host = LocalHost("gpu-1")
    questions = [Question(command) for command in COMMANDS]

    together = ask_together(host, questions)

    for question in questions:
        alone, found = host.run(question.command), together[question]
        assert (found.stdout, found.command, found.host) == (alone.stdout, alone.command, "gpu-1")
        assert found.stderr.replace(" eval:", "") == alone.stderr  # bash and dash say who read the command
        if alone.exit_code in range(128):
            assert found.exit_code == alone.exit_code
        else:
            assert found.exit_code


def test_a_command_that_no_shell_can_read_spoils_no_other():
    questions = [Question("syntax ( error"), Question("echo 2")]

    found = ask_together(LocalHost("gpu-1"), questions)

    assert found[questions[0]].exit_code
    assert found[questions[1]].stdout == "2\n"


@settings(deadline=None, max_examples=30)  # each starts a shell
@given(st.lists(st.text(alphabet=string.printable.replace("\r", ""), max_size=40), min_size=1, max_size=5, unique=True))
def test_whatever_is_printed_is_found_again(texts: list[str]):
    questions = [Question(f"printf %s {_quoted(text)}") for text in texts]

    found = ask_together(LocalHost("gpu-1"), questions)

    assert [found[question].stdout for question in questions] == texts


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\"'\"'") + "'"


def test_what_a_command_took_is_told():
    found = ask_together(LocalHost("gpu-1"), [Question("timeout 0.2 cat /dev/zero >/dev/null; true"), Question("true")])

    first, second = found.values()
    assert 0.1 <= first.duration_s < 5
    assert second.duration_s < first.duration_s


class Recorded:
    """A host whose batch comes back as it is told, or fails."""

    def __init__(self, error: Exception | None = None) -> None:
        self.name = "gpu-1"
        self.error = error
        self.asked: list[bool] = []

    def run(self, command: str, *, timeout_s: float = 60.0, as_root: bool = False) -> CommandOutput:
        self.asked.append(as_root)
        if self.error is not None:
            raise self.error
        return LocalHost(self.name).run(command)


def test_a_host_is_asked_once_for_its_login_and_for_root():
    host = Recorded()
    questions = [Question("echo 1"), Question("echo 2", as_root=True), Question("echo 3"), Question("echo 4", True)]

    found = ask_together(host, [*questions, *questions])

    assert host.asked == [False]
    assert [found[question].stdout for question in questions] == ["1\n", "2\n", "3\n", "4\n"]


def _as_user(script: str, sudo: str, folder: Path) -> str:
    """What a login prints that is not root, with another `sudo` in front of the real one."""
    for name, text in {"id": "#!/bin/sh\necho 1000\n", "sudo": sudo}.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    return LocalHost("gpu-1").run(f"PATH={folder}:$PATH\n{script}").stdout


def test_root_is_become_by_sudo_once(tmp_path: Path):
    """Without its file descriptors and its environment, as sudo gives them."""
    questions = [Question("echo 1"), Question("echo 2", True), Question("echo $LC_ALL; id -u", True)]
    sudo = f'#!/bin/sh\necho x >>{tmp_path}/times; shift 2; exec env -i PATH=/usr/bin:/bin "$@" 3>&-\n'

    found = answers_of("gpu-1", questions, _as_user(script_of(questions), sudo, tmp_path))

    assert [found[question].stdout for question in questions] == ["1\n", "2\n", f"C\n{os.getuid()}\n"]
    assert (tmp_path / "times").read_text() == "x\n"


@pytest.mark.parametrize("sudo", ["#!/bin/sh\necho a password is required >&2; exit 1\n", "#!/nowhere\n"])
def test_without_root_the_other_answers_stand(sudo: str, tmp_path: Path):
    """Who asks as root is then told so, by the check that does."""
    questions = [Question("echo 1"), Question("echo 2", as_root=True)]

    found = answers_of("gpu-1", questions, _as_user(script_of(questions), sudo, tmp_path))

    assert list(found) == questions[:1]


def test_a_login_without_a_shell_is_told_by_who_asks():
    assert ask_together(Recorded(LoginError("no shell")), [Question("echo 1")]) == {}


def _packed(text: str) -> str:
    return base64.b64encode(gzip.compress(text.encode())).decode()


def _whole(questions: list[Question]) -> str:
    """What the script prints before it is packed."""
    output = LocalHost("gpu-1").run(script_of(questions)).stdout
    return gzip.decompress(base64.b64decode(output)).decode()


def test_of_a_batch_that_did_not_end_the_whole_answers_are_kept():
    questions = [Question("echo 1", True), Question("cat /dev/zero", True), Question("echo 3", True)]
    cut = _packed(f"{_whole(questions[:1])}\n--cut")
    error = CommandTimeout("still running", command="x", host="gpu-1", stdout=cut)

    assert list(ask_together(Recorded(error), questions)) == questions[:1]


def test_an_answer_that_is_cut_is_none():
    questions = [Question("echo 1"), Question("echo 2")]
    whole = _whole(questions)

    assert set(answers_of("gpu-1", questions, _packed(whole))) == set(questions)
    for cut in range(1, 30):
        assert questions[1] not in answers_of("gpu-1", questions, _packed(whole[:-cut]))
    for cut in range(4, len(_packed(whole)), 7):
        found = answers_of("gpu-1", questions, _packed(whole)[:-cut])
        assert [output.stdout for output in found.values()] == ["1\n", "2\n"][: len(found)]


@pytest.mark.parametrize(
    "said", ["", "banner\n", "gzip: command not found\n", "////", "H4sIAAAAAAAA", "\ud800", "é" * 7]
)
def test_what_is_no_packed_answer_is_none(said: str):
    """A host without gzip is asked one by one."""
    assert answers_of("gpu-1", [Question("echo 1")], said) == {}


def test_a_host_that_packs_more_than_it_may_say_fills_no_memory():
    bomb = base64.b64encode(gzip.compress(bytes(200 * 1024 * 1024))).decode()

    assert answers_of("gpu-1", [Question("echo 1")], bomb) == {}


def test_an_unreachable_host_is_an_error_and_no_empty_answer():
    with pytest.raises(ConnectError):
        ask_together(Recorded(ConnectError("cannot reach gpu-1")), [Question("echo 2", as_root=True)])


def test_more_than_one_command_line_takes_is_asked_in_parts():
    host = Recorded()
    long = "x" * (LONGEST_SCRIPT_CHARS // 3)
    questions = [Question(f"echo {number} '{long}' | cut -c1-3") for number in range(5)]

    found = ask_together(host, [*questions, Question(f"echo {long * 4}")])

    assert [found[question].stdout for question in questions] == [f"{number} x\n" for number in range(5)]
    assert len(host.asked) == 3


def test_a_failed_batch_is_no_answer():
    error = CommandError("the connection was lost", command="x", host="gpu-1")

    assert ask_together(Recorded(error), [Question("echo 1", as_root=True)]) == {}
