"""--check chooses a check with all that it rests on, at its place, and names what is near where there is none."""

from __future__ import annotations

import pytest

from access.errors import InputError
from judging.chosen_checks import Made, chosen, listed

MADE = (
    Made("preflight.files", "", ()),
    Made("host.iommu.firmware", "compute-0", ()),
    Made("host.iommu.firmware", "compute-1", ()),
    Made("host.iommu.cmdline", "compute-0", ("host.iommu.firmware",)),
    Made("host.iommu.cmdline", "compute-1", ("host.iommu.firmware",)),
    Made("control_plane.filters.pci", "controller-0", ("preflight.files",)),
    Made("instance.gpu.exact", "one-card", ("host.iommu.*", "control_plane.filters.pci")),
    Made("instance.gpu.exact", "all-cards", ("host.iommu.*", "control_plane.filters.pci")),
    Made("cuda.p2p", "all-cards", ("instance.gpu.exact",)),
    Made("lifecycle.moves.cold", "a case", ("cuda.p2p",)),
)


def names(*asked: str) -> list[str]:
    return [check.name for check, is_chosen in zip(MADE, chosen(asked, MADE), strict=True) if is_chosen]


def test_a_check_at_a_place_takes_its_foundations_of_that_place() -> None:
    """Another host's firmware says nothing of this one."""
    assert names("host.iommu.cmdline[compute-1]") == ["host.iommu.firmware[compute-1]", "host.iommu.cmdline[compute-1]"]


def test_a_check_takes_what_it_rests_on_through_all_layers() -> None:
    """An instance may be on any host; its own layer below it is that of its own place."""
    assert names("cuda.p2p") == [
        "preflight.files",
        "host.iommu.firmware[compute-0]",
        "host.iommu.firmware[compute-1]",
        "host.iommu.cmdline[compute-0]",
        "host.iommu.cmdline[compute-1]",
        "control_plane.filters.pci[controller-0]",
        "instance.gpu.exact[all-cards]",
        "cuda.p2p[all-cards]",
    ]


def test_patterns_and_several_names_add_up() -> None:
    """Whatever they share stands once, in the suites' order."""
    assert names("host.iommu.f*", "preflight.*") == [
        "preflight.files",
        "host.iommu.firmware[compute-0]",
        "host.iommu.firmware[compute-1]",
    ]


@pytest.mark.parametrize(
    "name", ["host.iommu.cmdlin", "host.iommu.cmdline[compute-9]", "", "[", "*[compute-0]", "no.*"]
)
def test_a_name_of_no_check_is_refused(name: str) -> None:
    """With what is near, and where all names are."""
    with pytest.raises(InputError, match="there is no check") as error:
        names("preflight.files", name)

    assert "--list-checks" in str(error.value)


def test_foundations_in_a_circle_end() -> None:
    """A mistake of the suites is not made worse."""
    circle = (Made("host.a", "c", ("host.b",)), Made("host.b", "c", ("host.a",)))

    assert chosen(["host.a"], circle) == [True, True]


def test_the_list_stands_by_layers_and_may_be_narrowed() -> None:
    """As their ids begin; a place is passed over."""
    checks = [(check.id, "a fact") for check in MADE[:4]]

    assert list(listed(checks)) == ["Deployment files", "GPU hosts"]
    assert list(listed(checks, ["preflight.*"])) == ["Deployment files"]
    assert listed(checks, ["host.iommu.cmdline[compute-0]"]) == {"GPU hosts": [("host.iommu.cmdline", "a fact")]}
