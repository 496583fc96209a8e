"""The corpus beside the checkout, whole: each file is read with the values of its index, or refused for a known reason.

The index was drafted by a script. Where it is wrong, or a file is no whole answer, REFUSED says so.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from access.errors import ParseError, ToolFailure
from probes import (
    bandwidth_sample,
    device_query,
    grub,
    kernel_cmdline,
    kernel_log,
    lsmod,
    lspci,
    nova_conf,
    nvbandwidth,
    nvidia_module,
    p2p_bandwidth,
)
from probes.nvidia_smi import query, topology

CORPUS = Path(__file__).parents[3] / "shared" / "corpus"
INDEX = CORPUS / "index.yaml"
ENTRIES = yaml.safe_load(INDEX.read_text()) if INDEX.exists() else []
NO_FILE = "a snippet of a page: no nova.conf, and oslo.config refuses it"
REFUSED = {
    "devicequery/gtx1050.txt": "a whole README: text follows below the answer",
    "bandwidthtest/all-devices-t4.txt": "cut off within a row",
    "nvbandwidth/stas.txt": "elided, the last test without its sum",
    "grub/kubevirt-intel.txt": "elided, a quote that is not closed",
    "lsmod/jliberma-ocata.txt": "a log of a session with other commands",
    **{
        f"nova/{name}.txt": NO_FILE
        for name in (
            "alias-help-1",
            "alias-help-traits",
            "alias-help-trailing",
            "alias-help-two",
            "devspec-help-all",
            "devspec-help-invalid",
            "devspec-help-list",
            "justin-diff",
            "satish-alias-colon",
            "satish-filter",
            "k8s-operator-alias",
            "k8s-operator-devspec",
        )
    },
}
CURVES = {"H2D": "h2d", "D2H": "d2h", "D2D": "d2d"}
MATRICES = {
    "P2P Connectivity Matrix": "Connectivity",
    "Unidirectional P2P=Disabled Bandwidth Matrix (GB/s)": "Unidirectional Disabled",
    "Unidirectional P2P=Enabled Bandwidth (P2P Writes) Matrix (GB/s)": "Unidirectional Enabled",
    "Unidirectional P2P=Enabled Bandwidth (P2P Reads) Matrix (GB/s)": "Unidirectional Enabled Reads",
    "Bidirectional P2P=Disabled Bandwidth Matrix (GB/s)": "Bidirectional Disabled",
    "Bidirectional P2P=Enabled Bandwidth Matrix (GB/s)": "Bidirectional Enabled",
    "P2P=Disabled Latency Matrix (us) [GPU]": "Latency Disabled",
    "P2P=Disabled Latency Matrix (us) [CPU]": "Latency Disabled CPU",
    "P2P=Enabled Latency (P2P Writes) Matrix (us) [GPU]": "Latency Enabled",
    "P2P=Enabled Latency (P2P Writes) Matrix (us) [CPU]": "Latency Enabled CPU",
    "P2P=Enabled Latency (P2P Reads) Matrix (us) [GPU]": "Latency Enabled Reads",
    "P2P=Enabled Latency (P2P Reads) Matrix (us) [CPU]": "Latency Enabled Reads CPU",
}

pytestmark = pytest.mark.skipif(not ENTRIES, reason=f"no corpus at {INDEX}")


def _device_query(text: str, expected: dict[str, Any]) -> None:
    if "error_code" in expected:
        _fails(lambda: device_query.parse(text), f"cuda-{expected['error_code']}", expected["error_text"])
        return
    found = device_query.parse(text)
    for device, wanted in zip(found.devices, expected["devices"], strict=True):
        domain, bus, slot = wanted["pci_dom_bus_loc_decimal"]
        assert (device.index, device.name, device.compute_capability) == (wanted["index"], wanted["name"], wanted["cc"])
        assert (device.memory_bytes, device.multiprocessors) == (wanted["memory_bytes"], wanted["sm"])
        assert f"{found.driver_version} / {found.runtime_version}" == wanted["driver_runtime"]
        assert device.address == f"{domain or 0:04x}:{bus:02x}:{slot:02x}.0"
    peers = {f"{one}->{other}": "Yes" if can else "No" for (one, other), can in found.peer_access.items()}
    assert peers == expected.get("p2p", {})


def _bandwidth_test(text: str, expected: dict[str, Any]) -> None:
    if "error_code" in expected:
        _fails(lambda: bandwidth_sample.parse(text), f"cuda-{expected['error_code']}", "")
        return
    found = bandwidth_sample.parse_runs(text)
    for run, wanted in zip(found, expected.get("runs", [expected]), strict=True):
        assert (run.mode, set(run.devices.values())) == (wanted["mode"], {wanted["device"]})
        if "csv_rows" in wanted:
            series = run.series[CURVES[wanted["direction"]]]
            ends = [[point.size_bytes, point.printed] for point in (series.points[0], series.points[-1])]
            assert (len(series.points), ends) == (wanted["csv_rows"], [wanted["first"], wanted["last"]])
            continue
        assert set(run.series) == {CURVES[name] for name in CURVES if wanted.get(name)}
        for name, series in run.series.items():
            figure = wanted[{value: key for key, value in CURVES.items()}[name]]
            point = series.points[-1]
            assert (point.size_bytes, point.printed, point.unit) == (figure["size"], figure["value"], figure["unit"])
            assert series.memory == figure["memory"]


def _p2p(text: str, expected: dict[str, Any]) -> None:
    matrices = p2p_bandwidth.parse_matrices(text)
    assert set(matrices) == {MATRICES[name] for name in expected["matrices"]}
    for name, wanted in expected["matrices"].items():
        matrix = matrices[MATRICES[name]]
        corners = (matrix[0][0], matrix[0][-1], matrix[-1][0], matrix[-1][-1])
        assert (len(matrix), len(matrix[0])) == (wanted["rows"], wanted["cols"])
        assert corners == tuple(wanted[f"cell_{place}"] for place in ("0_0", "0_last", "last_0", "last_last"))
    if expected["devices"] is None:
        with pytest.raises(ParseError):
            p2p_bandwidth.parse(text)
        return
    found = p2p_bandwidth.parse(text)
    devices = [(device.index, device.name, f"{device.address.bus:x}") for device in found.devices]
    assert devices == [(wanted["index"], wanted["name"], wanted["bus_hex"]) for wanted in expected["devices"]]
    assert len(found.can_access) == expected["can_access_pairs"]


def _nvbandwidth(text: str, expected: dict[str, Any]) -> None:
    found = nvbandwidth.parse(text)
    assert found.driver_version == expected["driver"]
    assert f"v{found.version}" == expected["version"]
    assert {name: found.matrices[name].total for name in expected["sums"]} == pytest.approx(expected["sums"])
    assert list(found.matrices) == expected.get("tests", list(found.matrices))
    assert len(found.matrices) == expected.get("passed", len(found.matrices))
    assert len(found.waived) == expected.get("waived", len(found.waived))


def _topology(text: str, expected: dict[str, Any]) -> None:
    if "OK" in expected["gpu0_row"]:
        peers = topology.parse_peers(text)
        row, gpus, nics = [peers.status.get(("GPU0", name), "X") for name in peers.gpus], len(peers.gpus), 0
    else:
        found = topology.parse(text)
        row, gpus = [found.connections.get(("GPU0", name), "X") for name in found.gpus], len(found.gpus)
        nics = len(found.devices) - gpus
    assert (gpus, nics, row) == (expected["num_gpus"], expected["nics"], expected["gpu0_row"])


def _query(text: str, expected: dict[str, Any]) -> None:
    found = query.parse(text)
    ids = [gpu.text("PCI/Device Id") for gpu in found.gpus if gpu.text("PCI/Device Id")]
    assert [len(found.gpus)] == expected["attached"]
    assert found.driver_version == expected["driver"]
    assert [gpu.product_name for gpu in found.gpus if gpu.product_name] == expected["products"]
    assert ids == expected["device_ids"]


def _failure(text: str, expected: dict[str, Any]) -> None:
    _fails(lambda: query.parse(text), expected["class"].replace("_", "-"), "")


def _lspci(text: str, expected: dict[str, Any]) -> None:
    found = [device for device in lspci.parse(text) if device.is_nvidia]
    assert [f"{device.address[5:]} {device.class_name}" for device in found] == expected["nvidia_functions"]
    assert [f"{d.vendor_id}:{d.product_id}" for d in found if d.vendor_id] == expected["gpu_ids"]
    assert [device.driver for device in found if device.driver] == expected["drivers_in_use"]
    for name, link in (("lnkcap", found[0].link_capability), ("lnksta", found[0].link_status)):
        shown = [f"{link.speed_gt_per_s:g}GT/s", f"x{link.width}"] if link else None
        assert shown == expected.get(name)


def _lsmod(text: str, expected: dict[str, Any]) -> None:
    found = {name: module.size_bytes for name, module in lsmod.parse(text).items() if name.startswith("nvidia")}
    assert found == expected["nvidia_modules"]


def _module(text: str, expected: dict[str, Any]) -> None:
    found = nvidia_module.parse(text)
    flavour = "open" if expected["open_module"] else "proprietary"
    assert (found.version, found.flavour, found.architecture) == (expected["version"], flavour, expected["arch"])


def _grub(text: str, expected: dict[str, Any]) -> None:
    found = grub.parse_defaults(text).arguments
    assert [word for word in found if "iommu=" in word] == expected["iommu_args"]


def _cmdline(text: str, expected: dict[str, Any]) -> None:
    found = kernel_cmdline.parse(text).arguments
    assert [word for word in found if "iommu=" in word] == expected["iommu_args"]


def _iommu(text: str, expected: dict[str, Any]) -> None:
    found = kernel_log.parse(text).iommu
    assert found.is_enabled == expected["dmar_iommu_enabled"]
    assert found.has_directed_io == expected["vt_d_directed_io"]
    assert found.is_amd_vi == expected["amd_vi"]
    assert bool(found.remapping_units) == expected["dmar_drhd_present"]
    assert bool(found.interrupt_remapping) == expected["interrupt_remapping"]
    assert len(found.groups) == expected["iommu_groups"]


def _xid(text: str, expected: dict[str, Any]) -> None:
    found = kernel_log.parse(text).xids
    assert len(found) == expected["lines"]
    assert sorted({xid.number for xid in found}) == expected["codes"]
    assert sorted({xid.address[:-2] for xid in found}) == expected["pci"]


def _nova(text: str, expected: dict[str, Any]) -> None:
    found = nova_conf.parse(text)
    assert [option.name for option in found.options] == expected["options"]
    assert [alias["name"] for alias in found.aliases] == expected["names"]


def _fails(call: Callable[[], Any], kind: str, words: str) -> None:
    with pytest.raises(ToolFailure) as caught:
        call()
    assert caught.value.kind == kind
    assert words in caught.value.reason


CHECKS: dict[str, Callable[[str, dict[str, Any]], None]] = {
    "bandwidthtest": _bandwidth_test,
    "cmdline": _cmdline,
    "devicequery": _device_query,
    "dmesg_iommu": _iommu,
    "grub": _grub,
    "lsmod": _lsmod,
    "lspci": _lspci,
    "nova": _nova,
    "nvbandwidth": _nvbandwidth,
    "nvsmi_fail": _failure,
    "nvsmi_q": _query,
    "p2p": _p2p,
    "procver": _module,
    "topo": _topology,
    "xid": _xid,
}
"""Files of kind tripleo are environment files: no probe reads them."""


@pytest.mark.parametrize(
    "entry", [item for item in ENTRIES if item["kind"] != "tripleo"], ids=lambda item: item["file"]
)
def test_a_file_of_the_corpus(entry: dict[str, Any]):
    """Each answer of the corpus gives the expected values, or is refused where that is listed."""
    text = (CORPUS / entry["file"]).read_bytes().decode()

    if entry["file"] in REFUSED:
        with pytest.raises(ParseError) as caught:
            CHECKS[entry["kind"]](text, entry["expected"])
        assert caught.value.line, "quotes nothing"
    else:
        CHECKS[entry["kind"]](text, entry["expected"])


def test_nothing_is_refused_that_is_not_there():
    """Each refusal that is listed belongs to a file of the corpus."""
    assert set(REFUSED) <= {entry["file"] for entry in ENTRIES}
