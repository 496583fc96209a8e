"""Ways around a verdict: whatever hides, turns or leaves out a result, the run is not accepted."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from test_session_end import FIRST, LAST, PLUGINS, WRAPPER, Ended, hook
from test_session_end import end as end_with

from judging.completeness import checking_functions
from judging.outcome import Outcome


def marked(mark: str) -> str:
    """A plugin that puts a mark on every test."""
    return hook("pytest_collection_modifyitems(items)", f"[item.add_marker(pytest.mark.{mark}) for item in items]")


end = partial(end_with, plugins=PLUGINS)
REPORT = "pytest_runtest_makereport()"
TURNED = "report = yield\n    report.outcome = 'passed'\n    report.longrepr = None\n    {}\n    return report"
SECOND = '''

@pytest.mark.check("made.second")
def test_second(notes):
    """A fact."""
    notes.command(CommandOutput("here", "true", 0, "", "", 0.1))
'''
OUTER, INNER = WRAPPER.format("tryfirst=True"), WRAPPER.format("trylast=True")
BAD = "assert False, 'it is wrong'"
WAYS: dict[str, tuple[str, dict[str, str]]] = {
    # name: plugin; body and what stands before the test
    "an outer plugin makes a failure pass": (
        hook(REPORT, TURNED.format(""), OUTER),
        {"body": BAD},
    ),
    "an inner plugin makes a failure pass": (
        hook(REPORT, TURNED.format(""), INNER),
        {"body": BAD},
    ),
    "a plugin drops the records": (
        hook(REPORT, TURNED.format("report.user_properties.clear()"), OUTER),
        {"body": BAD},
    ),
    "a plugin counts no failures": (
        hook(
            "pytest_runtestloop(session)",
            "yield\n    session.testsfailed = 0\n    return True",
            OUTER,
        ),
        {"body": BAD},
    ),
    "a plugin runs no test": (hook("pytest_pyfunc_call()", "return True", FIRST), {}),
    "a plugin reports what never ran": (
        "from _pytest.reports import TestReport\n"
        + hook(
            "pytest_runtest_protocol(item)",
            "for when in ('setup', 'call', 'teardown'):\n"
            "        item.ihook.pytest_runtest_logreport(report=TestReport(\n"
            "            item.nodeid, item.location, {}, 'passed', None, when))\n"
            "    return True",
            FIRST,
        ),
        {},
    ),
    "a plugin skips the protocol": (hook("pytest_runtest_protocol()", "return True", FIRST), {}),
    "a plugin takes tests out": (
        hook("pytest_collection_modifyitems(items)", "items[:] = items[1:]", LAST),
        {"before": SECOND},
    ),
    "a plugin deselects tests": (
        hook(
            "pytest_collection_modifyitems(config, items)",
            "config.hook.pytest_deselected(items=items[:1]); items[:] = items[1:]",
            FIRST,
        ),
        {"before": SECOND},
    ),
    "an expected failure": ("", {"before": "", "body": "pytest.xfail('known')"}),
    "a marked expected failure": (
        marked("xfail"),
        {"body": BAD},
    ),
    "an expected failure that is not run": (
        hook(
            "pytest_collection_modifyitems(items)", "[item.add_marker(pytest.mark.xfail(run=False)) for item in items]"
        ),
        {},
    ),
    "a strict expected failure that passes": (
        hook(
            "pytest_collection_modifyitems(items)",
            "[item.add_marker(pytest.mark.xfail(strict=True)) for item in items]",
        ),
        {},
    ),
    "a skip": (
        marked("skip"),
        {},
    ),
    "a skip within": ("", {"body": "pytest.skip('not today')"}),
    "a failure of pytest's": ("", {"body": "pytest.fail('no')"}),
    "an exit of Python": ("", {"body": "raise SystemExit(0)"}),
    "a quiet end of the session": ("", {"body": "pytest.exit('enough', returncode=0)"}),
    "a quiet end at a teardown": (hook("pytest_runtest_teardown()", "pytest.exit('enough', returncode=0)"), {}),
    "a file that skips itself": ("", {"before": "pytest.skip('not here', allow_module_level=True)"}),
    "a subtest fails": (
        "",
        {"body": "with request.getfixturevalue('subtests').test('one'):\n        assert False"},
    ),
    "a rerun after a failure": (
        "from _pytest.runner import runtestprotocol\n"
        + hook(
            "pytest_runtest_protocol(item)",
            "for _ in range(2):\n"
            "        reports = runtestprotocol(item, log=False)\n"
            "        failed = any(report.failed for report in reports)\n"
            "        os.environ['TRIED'] = '1'\n"
            "        item._initrequest()\n"
            "        for report in reports:\n"
            "            report.outcome = 'rerun' if report.failed else report.outcome\n"
            "            item.ihook.pytest_runtest_logreport(report=report)\n"
            "        if not failed:\n"
            "            break\n"
            "    return True",
            FIRST,
        ),
        {"before": "import os", "body": "assert 'TRIED' in os.environ"},
    ),
}


def test_without_a_plugin_the_run_is_accepted(tmp_path: Path) -> None:
    """The ways below start from here."""
    assert _judged(end(tmp_path, before=SECOND)) == (0, Outcome.ACCEPTED)


@pytest.mark.parametrize("way", WAYS)
def test_a_way_around_is_not_accepted(tmp_path: Path, way: str) -> None:
    """Neither by the exit code nor by the records, which page, JUnit and certificate are made of."""
    plugin, words = WAYS[way]

    ended = end(tmp_path, plugin=plugin, **words)

    assert ended.code != 0, ended.said
    assert ended.outcome is not Outcome.ACCEPTED


def _judged(ended: Ended) -> tuple[int, Outcome]:
    return ended.code, ended.outcome


PARTS = {
    "a keyword": ("-k", "second"),
    "a deselected test": ("--deselect", "test_made.py::test_passing"),
    "the first failure ends it": ("-x",),
    "so many failures end it": ("--maxfail", "1"),
    "only fixtures": ("--setup-only",),
    "only a plan": ("--setup-plan",),
    "other names of tests": ("-o", "python_functions=nothing_*"),
}


@pytest.mark.parametrize("part", PARTS)
def test_a_part_is_never_the_whole(tmp_path: Path, part: str) -> None:
    """What was left out by an option is a part and says so, and what was not reached is not accepted."""
    ended = end(tmp_path, *PARTS[part], before=SECOND + FAILS)

    assert ended.code != 0 or not ended.lines[0]["whole"], ended.said
    assert "no acceptance of the cloud" in ended.said or ended.code != 0


FAILS = '''

@pytest.mark.check("made.failing")
def test_a_failing_one(notes):
    """A fact."""
    assert False
'''


@pytest.mark.parametrize(
    ("body", "teardown"),
    [("os._exit(0)", "pass"), ("os.kill(os.getpid(), 9)", "pass"), ("pass", "os._exit(0)")],
    ids=["ends itself", "is killed", "ends at a teardown"],
)
def test_a_worker_that_dies_is_not_accepted(tmp_path: Path, body: str, teardown: str) -> None:
    """Its test has no result, and whatever came after it is not there either."""
    plugin = hook("pytest_runtest_teardown()", teardown)

    ended = end(tmp_path, "-n", "1", plugin=plugin, before="import os\n" + SECOND, body=body)

    assert (ended.code, ended.outcome) == (69, Outcome.COULD_NOT_JUDGE)


def test_a_worker_that_dies_at_its_end_is_not_accepted(tmp_path: Path) -> None:
    """All tests passed; what it had to give back is left."""
    ended = end(tmp_path, "-n", "1", plugin=DIES_AT_ITS_END)

    assert (ended.code, ended.outcome) == (69, Outcome.COULD_NOT_JUDGE), ended.said


DIES_AT_ITS_END = hook("pytest_sessionfinish(session)", "hasattr(session.config, 'workerinput') and os._exit(0)", FIRST)


def test_a_worker_whose_end_fails_is_not_accepted(tmp_path: Path) -> None:
    """A plugin that raises in a worker is told by the controller."""
    fails = hook("pytest_sessionfinish(session)", "assert not hasattr(session.config, 'workerinput'), 'broken'", FIRST)

    ended = end(tmp_path, "-n", "1", plugin=fails)

    assert (ended.code, ended.outcome) == (69, Outcome.COULD_NOT_JUDGE)
    assert "broken" in ended.said


def test_every_function_of_the_suites_that_checks_is_known() -> None:
    """A file that pytest never opens is missed by name."""
    found = checking_functions()

    assert len(found) > 100
    assert {name for file, name in found if file.endswith("test_cuda.py")} >= {
        "test_cards_of_one_instance_reach_each_other"
    }


def test_what_is_not_judged_is_named_with_its_reason(tmp_path: Path) -> None:
    """One line for each reason, in the terminal."""
    body = "from access.errors import NotVerified; raise NotVerified('no source tells\\tit')"

    ended = end(tmp_path, body=body, before=SECOND.replace("notes.command", "raise OSError('gone'); notes.command"))

    assert "NOT VERIFIED  made.passing: no source tells it" in ended.said
    assert "ERROR  made.second: OSError: gone" in ended.said
    assert "outcome: could not judge" in ended.said
