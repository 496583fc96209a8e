"""What checks will ask of hosts is asked before them: all hosts side by side, each in one go."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from access import side_by_side
from access.errors import Blocked, ConnectError, MeasurementError
from access.host import Host
from access.questions import Question, ask_together
from cloud_file.sections.hosts import DeclaredHost
from provisioning.hosts import ASK_AGAIN_AFTER_S, Absence, Hosts, Machine, ReadOnce


@dataclass(frozen=True)
class Plan:
    """What is known to be asked of one host. What is not in it is asked when a check needs it."""

    questions: tuple[Question, ...] = ()
    follow_ups: tuple[Callable[[Host], object], ...] = ()
    """What asks on by the first answers, such as the files that a process reads."""

    def __add__(self, other: Plan) -> Plan:
        questions = (*self.questions, *other.questions)
        return Plan(tuple(dict.fromkeys(questions)), tuple(dict.fromkeys((*self.follow_ups, *other.follow_ups))))


def gather(hosts: Hosts, plans: Mapping[str, Plan], declared: Iterable[DeclaredHost]) -> None:
    """Ask each declared host what its plan has and is not known yet; answers go where `ReadOnce` finds them.

    A host that cannot be reached is told by the first check that asks it, as if that had tried itself.
    """
    wanted = [host for host in declared if host.name in plans and not _is_absent(hosts, host.name)]
    side_by_side.each(lambda host: _ask(hosts, host, plans[host.name]), wanted)


def _is_absent(hosts: Hosts, name: str) -> bool:
    absence = hosts.absences.get(name)
    return absence is not None and time.monotonic() - absence.at < ASK_AGAIN_AFTER_S


def _ask(hosts: Hosts, declared: DeclaredHost, plan: Plan) -> None:
    try:
        machine = hosts.looked_at(declared)
    except (Blocked, MeasurementError):
        return  # the check says so itself
    questions = [item for item in plan.questions if (declared.name, item.command, item.as_root) not in hosts.answers]
    recorder, machine.on_command = machine.on_command, None  # no evidence of the check that happens to run
    try:
        _answer(hosts, machine, questions, plan.follow_ups)
        if questions:
            hosts.absences.pop(declared.name, None)
    except ConnectError as error:
        known = hosts.absences.get(declared.name)
        hosts.absences[declared.name] = Absence(error, known.found_by if known else "", time.monotonic())
    finally:
        machine.on_command = recorder


def _answer(
    hosts: Hosts, machine: Machine, questions: list[Question], follow_ups: tuple[Callable[[Host], object], ...]
) -> None:
    for question, answer in ask_together(machine, questions).items():
        if answer.exit_code == 0:  # what failed is asked again
            hosts.answers[machine.name, question.command, question.as_root] = answer
    known = ReadOnce(machine, hosts.answers)
    for follow_up in follow_ups:
        with suppress(MeasurementError, Blocked):
            follow_up(known)
