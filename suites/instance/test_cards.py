"""The cards in the instances: exactly those that the flavor asks for, and sound."""

from __future__ import annotations

from collections import Counter

import pytest

from access.host import Host
from cloud_file.cloud import Cloud
from cloud_file.sections.tenant import DeclaredGuest
from judging import card_health
from judging.verdicts import require, require_none
from probes import lspci
from probes.nvidia_smi import query
from probes.references import NVIDIA_VENDOR_ID, gpu_models

NOVA_PCI = "https://docs.openstack.org/nova/latest/admin/pci-passthrough.html"
ECC = "https://docs.nvidia.com/deploy/a100-gpu-mem-error-mgmt/"


def _cards(cloud: Cloud, guest: DeclaredGuest) -> Counter[str]:
    """Expected cards by product id."""
    cards: Counter[str] = Counter()
    for expected in cloud.gpus_of(guest.flavor):
        cards[cloud.gpu(expected.model).product_id] += expected.count
    return cards


@pytest.mark.check("instance.gpu.exact", rests_on=("instance.server.reachable",), source=NOVA_PCI)
def test_the_instance_has_exactly_the_requested_cards(guest: Host, declared_guest: DeclaredGuest, cloud: Cloud) -> None:
    """lspci shows as many cards as the flavor asks for (or as are declared of a host), not fewer and not more."""
    found = Counter(device.product_id for device in lspci.read(guest) if device.is_nvidia_gpu)
    wanted = _cards(cloud, declared_guest)

    require(
        found == wanted,
        "other-cards-than-requested" if cloud.has_openstack else "other-cards-than-requested/machine",
        f"lspci shows {_told(found)}, {'the flavor asks for' if cloud.has_openstack else 'declared are'} "
        f"{_told(wanted)}",
    )


def _told(cards: Counter[str]) -> str:
    """E.g. "2x P100-PCIE-16GB [10de:15f8]"."""
    told = [f"{count}x {_name_of(key)} [{NVIDIA_VENDOR_ID}:{key}]" for key, count in sorted(cards.items())]
    return ", ".join(told) or "no card of NVIDIA's"


def _name_of(product_id: str) -> str:
    """The models of that id: A2 and A16 share one."""
    return " or ".join(model.model for model in gpu_models().values() if product_id in model.product_ids) or "a card"


@pytest.mark.check("instance.gpu.health", rests_on=("instance.driver.tools", "instance.driver.no_errors"), source=ECC)
def test_every_card_is_sound(guest: Host, declared_guest: DeclaredGuest, cloud: Cloud) -> None:
    """Sensors answer, error correction is on, no uncorrected error was counted, no repair and no reset waits, and the fabric between the cards is in order."""  # noqa: E501
    wants_ecc = all(cloud.gpu(expected.model).ecc for expected in cloud.gpus_of(declared_guest.flavor))

    require_none(card_health.findings(query.read(guest), wants_ecc=wants_ecc))
