"""From records to root causes."""

from __future__ import annotations

import itertools

from judging.records import CheckRecord, Verdict
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
