"""From records to root causes."""

from __future__ import annotations

import itertools
from dataclasses import replace

from judging.records import CheckRecord, Verdict
from probes.card_identity import CardIdentity
from reports.diagnosis import diagnose


def _record(check: str, place: str, verdict: Verdict, cause: str = "", rests_on: tuple[str, ...] = ()) -> CheckRecord:
    return CheckRecord(
        check, place, verdict, f"test[{place}]", "fact", message=f"{check} at {place}", cause=cause, rests_on=rests_on
    )


def test_what_rests_on_a_failed_check_is_folded_under_it():
    records = [
        _record("host.iommu.cmdline", "compute-0", Verdict.FAILED, "not-rebooted"),
        _record("host.iommu.groups", "compute-0", Verdict.FAILED, "no-iommu-groups", ("host.iommu.cmdline",)),
        _record("instance.server.active", "one-card", Verdict.FAILED, "no-valid-host", ("host.*",)),
    ]

    (cause,) = diagnose(records)

    assert (cause.check, cause.cause, cause.places) == ("host.iommu.cmdline", "not-rebooted", ("compute-0",))
    assert cause.follows == (("host.iommu.groups", "compute-0"), ("instance.server.active", "one-card"))


def test_two_independent_faults_are_both_named_the_deeper_one_first():
    records = [
        _record("instance.driver.loaded", "one-card", Verdict.FAILED, "nouveau-loaded"),
        _record("control_plane.alias.compute", "compute-1", Verdict.FAILED, "alias-missing"),
    ]

    assert [cause.cause for cause in diagnose(records)] == ["alias-missing", "nouveau-loaded"]


def test_one_hosts_fault_does_not_explain_anothers():
    records = [
        _record("host.iommu.cmdline", "compute-0", Verdict.FAILED, "not-rebooted"),
        _record("host.iommu.groups", "compute-1", Verdict.FAILED, "no-iommu-groups", ("host.iommu.cmdline",)),
    ]

    assert len(diagnose(records)) == 2


def test_the_same_cause_at_several_places_is_one():
    records = [_record("host.iommu.firmware", name, Verdict.FAILED, "iommu-off") for name in ("compute-1", "compute-0")]

    (cause,) = diagnose(records)

    assert cause.places == ("compute-0", "compute-1")


def _said(place: str, message: str) -> CheckRecord:
    return CheckRecord("instance.driver.no_errors", place, Verdict.FAILED, "test", "fact", message=message, cause="xid")


def test_the_words_of_every_place_are_told():
    """Another card at another place is another story; what all say alike is told once, what one says alone, alone."""
    records = [_said("two-cards", "Xid 48 at 0000:05:00.0"), _said("one-card", "Xid 64 at 0000:04:00.0")]

    for order in itertools.permutations(records):
        (cause,) = diagnose(order)
        assert cause.what == "one-card: Xid 64 at 0000:04:00.0; two-cards: Xid 48 at 0000:05:00.0"
    assert diagnose([_said("a", "the same"), _said("b", "the same")])[0].what == "the same"
    assert diagnose([_said("a", "alone")])[0].what == "alone"


def test_of_one_cause_the_most_urgent_place_comes_first():
    """A card that is off the bus before one that waits for a reset, whatever the names of the places."""
    urgent = replace(_said("two-cards", "power-cycle: Xid 79 at 0000:05:00.0"), fix="power-cycle the host")
    others = [replace(_said(name, f"reset: Xid 48 at {name}"), fix="reset the card") for name in ("a-card", "b-card")]

    for order in itertools.permutations([urgent, *others]):
        assert [cause.fix for cause in diagnose(order)] == ["power-cycle the host", "reset the card"]


def test_of_many_places_some_are_told_and_the_others_counted():
    """A thousand hosts make no page of one line."""
    many = [_said(f"guest-{number:03}", f"Xid 48 at {number} " + "x" * 500) for number in range(100)]
    (cause,) = diagnose(many)

    assert len(cause.what) < 1000
    assert "guest-000: Xid 48 at 0" in cause.what
    assert cause.what.endswith("and 92 more places")


def test_foundations_that_passed_rule_their_causes_out():
    records = [
        _record("host.iommu.firmware", "compute-0", Verdict.PASSED),
        _record("host.iommu.groups", "compute-0", Verdict.FAILED, "no-groups", ("host.iommu.firmware",)),
    ]

    (cause,) = diagnose(records)

    assert cause.ruled_out == ("host.iommu.firmware",)
    assert any("it is not: host.iommu.firmware" in line for line in cause.lines())


def test_the_same_records_in_any_order_give_the_same_words():
    records = [
        _record("host.iommu.cmdline", "compute-0", Verdict.FAILED, "not-rebooted"),
        _record("host.iommu.groups", "compute-0", Verdict.FAILED, "no-iommu-groups", ("host.iommu.cmdline",)),
        _record("control_plane.alias.compute", "compute-1", Verdict.FAILED, "alias-missing"),
        _record("lifecycle.move.resize", "0to1", Verdict.FAILED, "failed", ("lifecycle.claim.exact",)),
        _record("lifecycle.claim.exact", "2", Verdict.FAILED, "failed"),
    ]

    told = {tuple(map(repr, diagnose(list(order)))) for order in itertools.permutations(records)}

    assert len(told) == 1


def test_the_cards_of_a_cause_stand_in_the_order_of_their_places():
    """Two workers write their records in any order."""
    records = [
        replace(_said(place, "throttled"), cards=(CardIdentity(host, "0000:84:00.0", instance=place, device="1"),))
        for place, host in (("every-1", "compute-1"), ("every-2", "compute-0"))
    ]

    for order in (records, records[::-1]):
        (cause,) = diagnose(order)
        assert [card.instance for card in cause.cards] == ["every-1", "every-2"]


def test_nothing_failed_means_no_cause():
    assert diagnose([_record("host.iommu.cmdline", "compute-0", Verdict.ERROR)]) == []


def test_a_foundation_that_fails_elsewhere_only_is_ruled_out_here():
    records = [
        _record("host.iommu.firmware", "compute-0", Verdict.PASSED),
        _record("host.iommu.firmware", "compute-1", Verdict.FAILED, "iommu-off"),
        _record("host.iommu.groups", "compute-0", Verdict.FAILED, "no-groups", ("host.iommu.firmware",)),
    ]

    here = next(cause for cause in diagnose(records) if cause.places == ("compute-0",))

    assert here.ruled_out == ("host.iommu.firmware",)


def test_a_foundation_that_was_not_seen_to_hold_rules_nothing_out():
    records = [
        _record("host.iommu.firmware", "compute-0", Verdict.ERROR),
        _record("host.iommu.groups", "compute-0", Verdict.FAILED, "no-groups", ("host.iommu.firmware",)),
    ]

    assert diagnose(records)[0].ruled_out == ()


def test_a_thousand_broken_hosts_are_diagnosed_at_once():
    """Each host has a chain of ten failures; comparing every pair would take minutes."""
    names = [f"host.check{number}" for number in range(10)]
    records = [
        _record(name, f"compute-{host}", Verdict.FAILED, "broken", tuple(names[:number]))
        for host in range(1000)
        for number, name in enumerate(names)
    ]

    (cause,) = diagnose(records)

    assert (cause.check, len(cause.places), len(cause.follows)) == ("host.check0", 1000, 9000)
