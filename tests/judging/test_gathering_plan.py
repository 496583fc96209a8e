"""What will be asked of a host is read from its checks: probes that they name, and what those declare."""

from __future__ import annotations

import importlib
import pkgutil
from types import FunctionType, ModuleType, SimpleNamespace
from typing import Any

import pytest
from gathering_fixtures import named_probes, plans_of

import probes
import suites.hosts.test_gpus as gpus
import suites.hosts.test_iommu as iommu
import suites.hosts.test_vfio as vfio
from access.errors import AcceptanceError
from access.host import CommandOutput
from access.questions import Question
from cloud_file.cloud import Cloud
from cloud_file.deployer import load_deployer
from cloud_file.sections.hosts import DeclaredHost
from probes import grub, kernel_cmdline, kernel_log, module_parameters, pci_devices, pci_slots, vfio_log

DECLARING = [
    module
    for module in (importlib.import_module(f"probes.{each.name}") for each in pkgutil.iter_modules(probes.__path__))
    if hasattr(module, "QUESTIONS")
]
HOST = DeclaredHost(name="gpu-1", address="192.0.2.1", role="compute")


class Asked(Exception):
    """The first question of a probe."""


class Asking:
    """A host that tells what it is asked, and answers nothing."""

    name = "gpu-1"

    def run(self, command: str, *, timeout_s: float = 60.0, as_root: bool = False) -> CommandOutput:
        raise Asked(Question(command, as_root))


def _first_questions(module: ModuleType) -> set[Question]:
    found = set()
    for name, function in vars(module).items():
        if not isinstance(function, FunctionType) or function.__module__ != module.__name__:
            continue
        if not name.startswith(("read", "is_image", "allows", "dma")) or function.__code__.co_argcount != 1:
            continue
        with pytest.raises(Asked) as asked:
            function(Asking())
        found.add(asked.value.args[0])
    return found


@pytest.mark.parametrize("module", DECLARING, ids=lambda module: module.__name__)
def test_a_probe_asks_first_what_it_declares(module: ModuleType):
    """Otherwise what is gathered is not what is asked, and each check asks its host alone."""
    first = _first_questions(module)

    assert first
    assert first <= set(module.QUESTIONS)


def test_probes_are_found_in_the_test_and_in_what_it_calls():
    cards = named_probes(gpus.test_every_card_answers_on_the_bus)
    through_a_function = named_probes(iommu.test_the_running_kernel_was_told_to_use_the_iommu)
    in_a_comprehension = named_probes(gpus.test_no_platform_reservation_keeps_a_card)

    assert {pci_devices, vfio_log} <= set(cards)
    assert kernel_cmdline in through_a_function
    assert {kernel_log, pci_devices} <= set(in_a_comprehension)


@pytest.mark.parametrize("suite", [gpus, iommu, vfio], ids=lambda suite: suite.__name__)
def test_every_check_of_a_host_has_a_plan(suite: ModuleType):
    """A check whose probes declare nothing asks its host alone, hundreds of times in a large cloud."""
    checks = [value for name, value in vars(suite).items() if name.startswith("test_")]

    without = [
        check.__name__
        for check in checks
        if not any(getattr(module, "QUESTIONS", ()) for module in named_probes(check))
    ]

    assert checks
    assert not without


def _item(function: Any, check: str, parameter: str, *fixtures: str) -> Any:
    marker = SimpleNamespace(args=(check,), kwargs={})
    return SimpleNamespace(
        function=function,
        fixturenames=(parameter, *fixtures),
        callspec=SimpleNamespace(params={parameter: HOST}),
        get_closest_marker=lambda name: marker,
    )


def _plans(*items: Any) -> dict[str, Any]:
    cloud = Cloud.model_construct(name="test", kind="existing", hosts=(HOST,))
    return plans_of(items, cloud, load_deployer("kolla-ansible"))


def test_a_host_is_asked_what_its_chosen_checks_need_and_nothing_else():
    chosen = _item(
        iommu.test_grub_defaults_turn_the_iommu_on, "host.iommu.grub_defaults", "declared_gpu_host", "gpu_host"
    )

    plan = _plans(chosen, chosen)["gpu-1"]

    assert set(grub.QUESTIONS) <= set(plan.questions)
    assert plan.follow_ups.count(grub.read_boot_entry) == 1
    assert not set(module_parameters.QUESTIONS) & set(plan.questions)


def test_a_check_that_asks_no_host_adds_nothing():
    declared_only = _item(gpus.test_every_card_answers_on_the_bus, "host.gpu.answers", "declared_gpu_host")

    assert _plans(declared_only) == {}


def test_records_of_cards_need_their_slots():
    about_cards = _item(
        gpus.test_every_link_has_its_full_width, "host.gpu.link_width", "declared_gpu_host", "gpu_host", "host_cards"
    )

    assert set(pci_slots.QUESTIONS) <= set(_plans(about_cards)["gpu-1"].questions)


def test_what_a_service_reads_is_asked_of_its_process():
    configured = _item(
        gpus.test_every_link_has_its_full_width, "x", "declared_compute", "compute", "compute_configuration"
    )

    plan = _plans(configured)["gpu-1"]

    assert any("nova[-_](os)?[c]ompute" in question.command for question in plan.questions)
    with pytest.raises((Asked, AcceptanceError)) as asked:
        plan.follow_ups[-1](Asking())
    assert asked.value.args[0] in plan.questions
