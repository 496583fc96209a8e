"""Faults of a card's life that are put into a healthy lab: each is found by its check, and nothing leaks after a kill."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from whole_lab import REPOSITORY, WholeLab

from reports.records import Verdict

LIMIT_S = 240
GHOST = "00000000-0000-4000-8000-000000000001"
RECONCILIATION = ("--lifecycle", "--keep", "-k", "reconciliation")
GIVEN_BACK = ("--lifecycle", "--keep", "-k", "given_back")
COMPUTES = ("compute-0", "compute-1")


@pytest.fixture(scope="module")
def provisioned(lab: WholeLab) -> WholeLab:
    """A lab with both declared instances, which leave one card free."""
    run = lab.accept("--keep", "-k", "test_the_stack_is_complete")
    assert run.exit_code == 0, run.output
    return lab


def _state(lab: WholeLab) -> Path:
    return lab.home / "default"


def test_a_healthy_cloud_agrees_from_all_sides(provisioned: WholeLab):
    run = provisioned.accept(*RECONCILIATION)

    assert set(run.verdicts.values()) == {Verdict.PASSED}, run.output
    assert len(run.verdicts) == 4


def test_a_card_that_stays_claimed_after_a_revert_is_found(provisioned: WholeLab):
    faults = _state(provisioned) / "faults.json"
    faults.write_text(json.dumps(["claim_kept_after_revert"]))

    run = provisioned.accept("--lifecycle", "--keep", "-k", "resize and 0to1")
    faults.unlink()

    assert run.failed() == {("lifecycle.move.resize", "0to1-revert")}, run.output
    assert "stays claimed" in run.output


def test_a_double_claim_is_found(provisioned: WholeLab):
    """A second domain with the same cards: it cannot start now, and takes them when the first one stops."""
    copy = f'cd /etc/libvirt/qemu; for f in instance-*.xml; do sed "s|<uuid>.*</uuid>|<uuid>{GHOST}</uuid>|; s|<name>.*</name>|<name>ghost</name>|" $f > ghost.xml; done'
    provisioned.on("compute-0", copy)

    run = provisioned.accept(*RECONCILIATION)
    provisioned.on("compute-0", "rm /etc/libvirt/qemu/ghost.xml")

    assert ("lifecycle.reconciliation.hypervisor", "") in run.failed(), run.output
    assert run.failed() <= {("lifecycle.reconciliation.hypervisor", ""), ("lifecycle.reconciliation.claims", "")}
    assert "double claim" in run.output


ROWS = {
    "claim of an instance that does not exist": (
        f"UPDATE pci_devices SET status='allocated', instance_uuid='{GHOST}' WHERE status='available'",  # noqa: S608
        f"UPDATE pci_devices SET status='available', instance_uuid=NULL WHERE instance_uuid='{GHOST}'",  # noqa: S608
        "lifecycle.reconciliation.claims",
    ),
    "row of a device that is not there": (
        "UPDATE pci_devices SET address=REPLACE(address, '0000:', '0001:') WHERE status='available'",
        "UPDATE pci_devices SET address=REPLACE(address, '0001:', '0000:')",
        "lifecycle.reconciliation.devices",
    ),
}


@pytest.mark.parametrize("fault", ROWS)
def test_a_stale_row_is_found(provisioned: WholeLab, fault: str):
    inject, mend, check = ROWS[fault]
    with _statement(provisioned, inject, mend):
        run = provisioned.accept(*RECONCILIATION)

    assert run.failed() == {(check, "")}, run.output


@contextmanager
def _statement(lab: WholeLab, inject: str, mend: str) -> Iterator[None]:
    for text in (inject, mend):
        lab.command("ssh", "controller-0", f'sudo mysql nova -e "{text}"')
        if text == inject:
            yield


@contextmanager
def _cards_that(lab: WholeLab, **changes: object) -> Iterator[None]:
    """Cards of both hosts with other properties while the block runs."""
    files = [_state(lab) / "machines" / name / "machine.json" for name in COMPUTES]
    before = {file: file.read_text() for file in files}
    for file, text in before.items():
        machine = json.loads(text)
        machine["gpus"] = [{**card, **changes} for card in machine["gpus"]]
        file.write_text(json.dumps(machine))
    yield
    for file, text in before.items():
        file.write_text(text)


def test_a_card_without_a_reset_is_found(provisioned: WholeLab):
    with _cards_that(provisioned, resets=False):
        run = provisioned.accept(*GIVEN_BACK)

    assert run.failed() == {("tenants.card.residue", ""), ("tenants.card.settings", "")}, run.output


def test_residue_in_a_cards_memory_is_found(provisioned: WholeLab):
    with _cards_that(provisioned, keeps_memory=True):
        run = provisioned.accept(*GIVEN_BACK)

    assert run.failed() == {("tenants.card.residue", "")}, run.output


def test_nothing_is_left_after_a_kill(provisioned: WholeLab):
    """A run that is killed while it has an instance is cleaned up by the ledger alone."""
    words = provisioned.arguments("--lifecycle", "--keep", "-q", "-k", "test_suspend_and_resume")
    process = subprocess.Popen(
        words, cwd=REPOSITORY, env=provisioned.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + LIMIT_S
    while '"kind": "server"' not in provisioned.ledger.read_text().rpartition('"kind": "test-flavor"')[2]:
        assert process.poll() is None, "the run ended before it made an instance"
        assert time.monotonic() < deadline
    process.send_signal(signal.SIGKILL)
    process.wait()

    run = provisioned.accept("--cleanup")

    assert run.exit_code == 0, run.output
    assert not provisioned.ledger.exists()
