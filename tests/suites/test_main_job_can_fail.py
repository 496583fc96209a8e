"""Broken clouds that no fault of the lab brings about, for checks of the main job."""

from __future__ import annotations

from pathlib import Path

from deployment import Deployment
from proving import proves

from preflight.finding import Finding, Location, Rule, Severity
from preflight.rules import MODULES

SCRIPT = Location(Path("overcloud-deploy.sh"), 3)


@proves("preflight.files", "deploy-stopped")
class AFileHasAnError(Deployment):
    def findings(self) -> tuple[Finding, ...]:
        rule = next(rule for module in MODULES for rule in module.RULES if rule.severity is Severity.ERROR)
        return (rule.at(SCRIPT, "…", "it fails", "write it otherwise"),)


@proves("preflight.shellcheck", "SC2215")
class AScriptLostABackslash(Deployment):
    def findings(self) -> tuple[Finding, ...]:
        rule = Rule("SC2215", "shellcheck", Severity.ERROR, "when the script runs", "https://www.shellcheck.net/")
        return (rule.at(SCRIPT, "--log-file", "This flag is used as a command name.", "see the link"),)


@proves("undercloud.nodes.available", "node-not-available")
class AServerIsNotRegistered(Deployment):
    def nodes(self) -> list[dict[str, object]]:
        return super().nodes()[:-1]


@proves("undercloud.nodes.available", "node-not-available")
class AServerIsInMaintenance(Deployment):
    def nodes(self) -> list[dict[str, object]]:
        *others, last = super().nodes()
        return [*others, last | {"Provisioning State": "available", "Maintenance": True}]


@proves("undercloud.overcloud.complete", "overcloud-not-complete")
class TheUpdateFailed(Deployment):
    def overcloud(self) -> str:
        return "UPDATE_FAILED"


@proves("undercloud.overcloud.complete", "overcloud-not-complete")
class TheUpdateWasRolledBack(Deployment):
    def overcloud(self) -> str:
        return "ROLLBACK_COMPLETE"


@proves("undercloud.puppet_nova.uploaded", "puppet-nova-not-uploaded")
class NothingWasUploaded(Deployment):
    def artifacts(self) -> str:
        return ""


@proves("host.iommu.groups", "no-iommu-groups")
class NoDeviceIsInAGroup(Deployment):
    def cards_in_sysfs(self) -> str:
        rows = [row.split() for row in super().cards_in_sysfs().splitlines()]
        return "\n".join(" ".join([*row[:5], "-", *row[6:]]) if row[6:] else row[0] for row in rows) + "\n"


@proves("host.iommu.groups", "no-iommu-groups")
class OneCardIsInNoGroup(Deployment):
    def cards_in_sysfs(self) -> str:
        return super().cards_in_sysfs().replace(" - 33 1 ", " - - 1 ")


@proves("instance.driver.fits", "branch-before-this-model")
class TheDriverIsOlderThanTheCard(Deployment):
    def driver(self) -> str:
        return super().driver().replace("384.183", "352.99")


@proves("instance.driver.fits", "module-flavour-without-this-architecture")
class TheOpenModuleMeetsPascal(Deployment):
    def driver(self) -> str:
        return "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  384.183  Tue Sep 25 02:12:33 PDT 2018\n"


@proves("instance.stack.complete", "stack-failed")
class NobodySignalsTheWaitCondition(Deployment):
    def stack_failure(self) -> str | None:
        return "CREATE_FAILED: WaitConditionTimeout: resources.cuda_ready: 0 of 1 received"
