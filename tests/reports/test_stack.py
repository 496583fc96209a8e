"""Machines as they were found: the layers' values, the odd one out, links that are too narrow."""

from __future__ import annotations

from dataclasses import replace

from run_maker import Shape, lines

from judging.layers import layer_of
from judging.records import CheckRecord
from probes.host_inventory import parse
from reports.page.picture import picture_of
from reports.page.stack import layers_of
from reports.records import HostFacts, Line, RunEnd, RunHeader
from reports.run import Run
from reports.tables import device_figures


def _run(made: list[Line]) -> Run:
    header = next(line for line in made if isinstance(line, RunHeader))
    end = next(line for line in made if isinstance(line, RunEnd))
    checks = tuple(line for line in made if isinstance(line, CheckRecord))
    return Run(header, checks, tuple(line for line in made if isinstance(line, HostFacts)), end)


def test_every_check_belongs_to_the_layer_it_looks_at() -> None:
    """The longest prefix counts."""
    names = (
        "host.iommu.firmware",
        "host.iommu.cmdline",
        "host.iommu.groups",
        "host.gpu.link_width",
        "host.vfio.bound",
        "host.memory.locked",
        "flavor.alias",
        "instance.server.active",
        "instance.driver.loaded",
        "cuda.p2p",
        "run.covers_host",
    )

    assert [layer_of(name).step for name in names] == [
        "BIOS",
        "Kernel",
        "IOMMU",
        "Cards",
        "Cards",
        "Cards",
        "OpenStack",
        "Instance",
        "Driver",
        "CUDA",
        "Run",
    ]


def test_a_bios_that_differs_from_most_is_marked() -> None:
    """One of six hosts has an older one."""
    bios = layers_of(_run(list(lines(Shape(hosts=6)))))[0]

    found = {value.value: (value.machines, value.is_odd) for value in bios.values if value.name == "BIOS"}
    assert found["Dell Inc. 2.4.8 11/26/2019"] == (("compute-5",), True)
    assert found["Dell Inc. 2.6.0 11/26/2019"][1] is False


def test_a_link_with_too_few_lanes_is_drawn_as_bad() -> None:
    """From the host's own inventory, where no copy was measured."""
    facts = parse("kernel=3.10\niommu_groups=41\nlink 0000:04:00.0=x16 of x16\nlink 0000:05:00.0=x8 of x16\n").facts
    made = [
        HostFacts(line.host, facts)
        if isinstance(line, HostFacts)
        else replace(line, measurements=())
        if isinstance(line, CheckRecord)
        else line
        for line in lines(Shape(hosts=1))
    ]
    run = _run(made)
    machine = picture_of(run, device_figures(run.checks)).machines[0]

    assert [(link.label, link.state) for link in machine.links] == [("x16", "ok"), ("x8", "bad")]
    assert [(card.detail, card.state) for card in machine.cards] == [("04:00.0", "ok"), ("05:00.0", "bad")]
    layers = {layer.name: [(value.name, value.value) for value in layer.values] for layer in layers_of(run)}
    assert layers["IOMMU"] == [("Groups", "41")]
    assert layers["Cards"] == [("GPU links", "PCI Express x16 of x16"), ("GPU links", "PCI Express x8 of x16")]


def test_outliers_are_found_and_equal_cards_are_none() -> None:
    """Of 40 cards one is slow and in band; the noise of the others is no outlier."""
    made = list(lines(Shape(hosts=10, cards=4)))
    for position, line in enumerate(made):
        if isinstance(line, CheckRecord) and line.place == "compute-3" and line.measurements:
            slower = [replace(m, value=m.value * 0.93) if m.device == "2" else m for m in line.measurements]
            made[position] = replace(line, measurements=tuple(slower))
    figures = device_figures(_run(made).checks)

    found = {(figure.host, figure.device, figure.metric) for figure in figures if figure.outlier}
    assert found == {("compute-3", "2", f"bandwidth.{way}") for way in ("h2d", "d2h", "d2d")}
    assert all(figure.in_band for figure in figures)
    assert all(figure.score > 0 for figure in figures if figure.outlier)
