"""Each check has one layer, and whatever speaks of layers takes them from one place."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from judging.layers import UNKNOWN, Needs, Place, layer_of, layers
from reports.page.stack import OTHER, STEPS

REPOSITORY = Path(__file__).resolve().parents[2]


def checks() -> set[str]:
    """Ids of all checks of the suites whose marker names one literally."""
    found = set()
    for file in (REPOSITORY / "suites").rglob("test_*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.check":
                found |= {str(word.value) for word in node.args if isinstance(word, ast.Constant)}
    return found


def test_every_check_of_the_suites_has_a_layer() -> None:
    """No id begins with a word that the file does not know."""
    assert {check for check in checks() if layer_of(check) is UNKNOWN} == set()


def test_every_layer_is_shown_on_the_page() -> None:
    """A step that the page does not show would hide its verdicts."""
    assert {layer.step for layer in layers()} <= {name for name, _ in STEPS} | {OTHER}


def test_layers_stand_from_the_bottom_up() -> None:
    """A host is below its instances, and CUDA is above both."""
    assert layer_of("host.gpu.present").order < layer_of("instance.gpu.exact").order < layer_of("cuda.p2p").order


@pytest.mark.parametrize(
    ("check", "place", "needs"),
    [
        ("undercloud.nodes.available", Place.CLOUD, Needs.TRIPLEO),
        ("host.iommu.cmdline", Place.HOST, Needs.OPENSTACK),
        ("control_plane.capacity.room", Place.GUEST, Needs.OPENSTACK),
        ("instance.packages", Place.GUEST, Needs.OPENSTACK),
        ("instance.driver.loaded", Place.GUEST, Needs.MACHINE),
        ("instance.gpu.exact", Place.GUEST, Needs.MACHINE),
        ("cuda.bandwidth", Place.GUEST, Needs.MACHINE),
        ("lifecycle.claim.exact", Place.SCENARIO, Needs.OPENSTACK),
    ],
)
def test_a_check_is_made_at_a_kind_of_place_in_a_kind_of_cloud(check: str, place: Place, needs: Needs) -> None:
    """Parts of a layer may differ from it."""
    assert (layer_of(check).place, layer_of(check).needs) == (place, needs)
