"""The cloud file's declared hosts against what the environment files, flavors and scripts say."""

from __future__ import annotations

from collections.abc import Iterator

from preflight.catalogue import rule
from preflight.deployment import Deployment
from preflight.finding import Finding
from preflight.rules.kernel_arguments import EFI, MKCONFIG

NOT_DECLARED = rule("GP222")
NOT_WHITELISTED = rule("GP223")
TOO_MANY_CARDS = rule("GP224")
UEFI_HOST = rule("GP414")
RULES = (NOT_DECLARED, NOT_WHITELISTED, TOO_MANY_CARDS, UEFI_HOST)


def check(deployment: Deployment) -> Iterator[Finding]:
    """Findings of this concern."""
    declared = deployment.declared
    if declared is None:
        return
    names = ", ".join(f"{vendor}:{product}" for vendor, product in sorted(declared.cards))
    gpus = [entry for entry in deployment.whitelist if entry.is_gpu]
    for entry in gpus:
        product = entry.id("product_id")
        if product not in (None, "*") and declared.cards and (entry.id("vendor_id"), product) not in declared.cards:
            yield NOT_DECLARED.at(
                entry.fields["product_id"].location,
                f"{entry.id('vendor_id')}:{product}",
                f"the cloud file declares {names}",
                "the id of the declared card, or declare this one",
            )
    for (vendor, product), node in declared.cards.items():
        if gpus and not any(
            entry.id("vendor_id") == vendor and entry.id("product_id") in (None, "*", product) for entry in gpus
        ):
            yield NOT_WHITELISTED.at(
                node.location, f"{vendor}:{product}", "NovaPCIPassthrough has no entry for it", "add one"
            )
    most = declared.most_cards_per_host
    for use in deployment.flavor_uses:
        asked = sum(int(count) for _, count in use.aliases if count.isdigit())
        if most and asked > most:
            yield TOO_MANY_CARDS.at(
                use.location, use.request, f"no declared host has more than {most}", f"ask for at most {most}"
            )
    yield from _firmware(deployment)


def _firmware(deployment: Deployment) -> Iterator[Finding]:
    if deployment.declared is None or "uefi" not in deployment.declared.firmware:
        return
    for script in deployment.files.scripts:
        for location, found in script.search(MKCONFIG):
            if not EFI.search(script.text):
                yield UEFI_HOST.at(
                    location,
                    found[0],
                    f"{found['target']} is not what a UEFI machine boots from",
                    "if [ -d /sys/firmware/efi ]: write what /etc/grub2-efi.cfg points to",
                )
