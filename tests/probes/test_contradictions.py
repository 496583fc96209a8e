"""An answer that contradicts itself, is garbled or cut off in one place is refused, with the place."""

from __future__ import annotations

import pytest
from probe_parsers import PARSERS, SAMPLES

from access.errors import ParseError, ToolFailure

CASES = [
    # tool, sample, what stands there, what is put there, words of the reason
    ("device_query", "a100-sxm4", "Detected 1 CUDA", "Detected 2 CUDA", "counted"),
    ("device_query", "a100-sxm4", "NumDevs = 1", "NumDevs = 8", "counted"),
    ("device_query", "a100-sxm4", "40514 MBytes", "40513 GBytes", "without capability or memory"),
    ("device_query", "a100-sxm4", "40514 MBytes", "4051 MBytes", "differ"),
    ("device_query", "a100-sxm4", "6912 CUDA Cores", "6913 CUDA Cores", "multiprocessors"),
    ("device_query", "a100-sxm4", "Result = PASS", "Result = FAIL", "says that it failed"),
    ("device_query", "a100-sxm4", "Result = PASS", "", "cut off"),
    ("device_query", "a100-sxm4", "number:    8.0", "number:    8,0", "without capability"),
    ("device_query", "a100-sxm4", "  Warp size:", "  W\x00rp sÿze", "not a line"),
    ("device_query", "gtx1080-x2-peers", 'Device 1: "', 'Device 0: "', "devices [0, 0]"),
    ("device_query", "gtx1080-x2-peers", "0 / 77 / 0", "0 / 75 / 0", "one address"),
    ("device_query", "gtx1080-x2-peers", "0 / 77 / 0", "0 / 4d / 0", "decimal"),
    ("device_query", "gtx1080-x2-peers", "0 / 77 / 0", "0 / 377 / 0", "out of range"),
    ("bandwidth_sample", "a100-sxm4-40", "Result = PASS", "", "Result = PASS"),
    ("bandwidth_sample", "a100-sxm4-40", "12.3", "nan", "not a line"),
    ("bandwidth_sample", "a100-sxm4-40", "12.3", "-12.3", "not a line"),
    ("bandwidth_sample", "a100-sxm4-40", "   32000000\t\t\t12.3\n", "", "no figures of h2d"),
    ("bandwidth_sample", "a100-sxm4-40", "Device to Host", "Host to Device", "twice"),
    ("bandwidth_sample", "a100-sxm4-40", "Bandwidth(GB/s)", "Bandwidth(TB/s)", "not a line"),
    (
        "bandwidth_sample",
        "a100-sxm4-40",
        "Device to Host Bandwidth, 1",
        "Device to Host Bandwidth, 2",
        "another number of devices",
    ),
    ("bandwidth_sample", "range-all-devices", "   200000000\t\t\t26.2", "   100000000\t\t\t26.2", "do not rise"),
    ("bandwidth_sample", "range-all-devices", "   1000000000\t\t\t25.8\n", "", "different sizes"),
    ("bandwidth_sample", "shmoo-csv-h2d", "Size = 2000 bytes", "Size = 200", "not a line"),
    ("p2p_bandwidth", "rtx6000ada-x2", "Device=1 CAN ", "Device=1 CANNOT ", "connectivity"),
    ("p2p_bandwidth", "rtx6000ada-x2", "Device=1 CAN Access Peer Device=0\n", "", "not told"),
    ("p2p_bandwidth", "rtx6000ada-x2", "  22.32 813.80", "  22.32 -", "no whole cell"),
    ("p2p_bandwidth", "rtx6000ada-x2", "  22.32 813.80", "  22.32 813.8", "no whole cell"),
    ("p2p_bandwidth", "rtx6000ada-x2", "     1       1     1", "     1       1     0.5", "no whole cell"),
    ("p2p_bandwidth", "rtx6000ada-x2", "  22.32 813.80", "  22.32", "not row 1"),
    ("p2p_bandwidth", "rtx6000ada-x2", "pciBusID: c2", "pciBusID: c1", "one address"),
    (
        "p2p_bandwidth",
        "rtx6000ada-x2",
        "Bidirectional P2P=Enabled Bandwidth",
        "Bidirectional P2P=Enabled",
        "not a line",
    ),
    (
        "p2p_bandwidth",
        "rtx6000ada-x2",
        "Device: 1, NVIDIA RTX 6000 Ada Generation, pciBusID: c2, pciDeviceID: 0, pciDomainID:0\n",
        "",
        "devices [0]",
    ),
    (
        "nvbandwidth",
        "gh200-v0.6",
        "SUM device_to_host_memcpy_ce 607.26",
        "SUM device_to_host_memcpy_ce 60.26",
        "add up",
    ),
    ("nvbandwidth", "gh200-v0.6", "295.15    312.11", "295.15    3l2.11", "no figure"),
    ("nvbandwidth", "gh200-v0.6", "SUM device_to_host_memcpy_ce 607.26\n", "", "without SUM"),
    ("nvbandwidth", "gh200-v0.6", "NOTE: The reported", "NOTE: The", "cut off"),
    ("nvbandwidth", "gh200-v0.6", "Device 0:", "Device 1:", "missing"),
    ("nvbandwidth", "json-v0.5", '"sum" : 12.396361291250001', '"sum" : 22.4', "add up"),
    ("nvbandwidth", "json-v0.5", '"status" : "Passed"', '"status" : "Error"', "has status Error"),
    ("nvbandwidth", "json-v0.5", '"12.3964"', '"12,3964"', "no figure"),
    ("nvbandwidth", "json-v0.5", '"version" : "v0.5"', '"error" : "CUDA_ERROR_NO_DEVICE"', "reports an error"),
    (
        "nvidia_smi_query",
        "page-retirement-x8-good",
        "Attached GPUs                             : 8",
        "Attached GPUs : 9",
        "8 GPUs",
    ),
    ("nvidia_smi_query", "page-retirement-x8-good", "GPU 00000002", "GPU 00000001", "a GPU twice"),
    ("nvidia_smi_query", "page-retirement-x8-good", ": 0\n", ": GPU is lost\n", "says that it failed"),
    (
        "nvidia_smi_query",
        "h100-545",
        "Bus Id                            : 00000000:19",
        "Bus Id : 00000000:18",
        "another address",
    ),
    ("nvidia_smi_query", "h100-545", "    Processes                             : None", "", "cut off"),
    (
        "nvidia_smi_query",
        "h100-545",
        "    Fan Speed                             : N/A",
        "    Fan Sp",
        "neither a field",
    ),
    ("nvidia_smi_query", "gtx-2012-290", "62 C\n", "62", "cut off within a line"),
    (
        "nvidia_smi_query",
        "h100-545",
        "    Processes                             : None\n",
        "    Processes                             : No",
        "cut off within a line",
    ),
    ("nvidia_smi_topo", "a100-x8-nv12", "GPU1  NV12   X", "GPU1  NV11   X", "two answers"),
    ("nvidia_smi_topo", "a100-x8-nv12", "GPU1  NV12   X", "GPU1  QQQ    X", "'QQQ'"),
    ("nvidia_smi_topo", "a100-x8-nv12", "GPU1  NV12", "GPU2  NV12", "whole row of GPU1"),
    ("nvidia_smi_topo", "dgx-no-cpu-affinity", "NODE\t1\t1\t\tN/A", "NODE\t1", "values for"),
    ("nvidia_smi_topo_p2p", "a100-x8-read", "OK      OK      X", "OK      X       X", "between"),
    ("gpu_burn", "t4-faulty", "GPU 0: FAULTY", "GPU 0: OK", "errors"),
    ("gpu_burn", "t4-faulty", "        GPU 0: FAULTY", "", "verdicts"),
    ("gpu_burn", "b300-x7-idle-but-ok", "Tested 7", "Tested 8", "verdicts"),
    ("gpu_burn", "b300-x7-idle-but-ok", "        GPU 6: OK\n", "        GPU 5: OK\n", "verdicts"),
    ("lspci", "p100-x2-nn", "84:00.0", "04:00.0", "a device twice"),
    ("lspci", "p100-x2-nn", "[10de:15f8] (rev a1)\n8", "[10de:15\n8", "cut off"),
    ("lspci", "p100-12gb-vv-a", "NUMA node: 0", "NUMA node: zero", "no number"),
    ("lsmod", "rows-of-nvidia", "841750  1 nvidia_drm", "841750  0 nvidia_drm", "not a module"),
    ("lsmod", "rows-of-nvidia", "nvidia_drm             44108", "nvidia                 44108", "a module twice"),
    ("lsmod", "proc-modules-510", " Live 0xffffffffc03f8000\n", "\n", "without its state"),
    ("nvidia_module", "open-555", "Tue Jun 25 01:26:03 UTC 2024", "Tu", "cut off"),
    ("nvidia_module", "open-555", "NVRM version", "NVRM", "unknown form"),
    ("kernel_log", "xid-63", "): 63, pid", "): ", "another shape"),
    (
        "kernel_log",
        "xid-63",
        "NVRM: Xid",
        "dmesg: read kernel buffer failed: Operation not permitted NVRM: Xid",
        "may not be read",
    ),
    ("nova_conf", "k8s-operator", '"product_id":"20f1", "address"', '"product_id":"20f1" "address"', "is no JSON"),
    ("nova_conf", "k8s-operator", "[pci]", "[pci] # cards", "must end"),
    ("nova_conf", "k8s-operator", "[pci]", "", "no section"),
    ("nova_conf", "k8s-operator", "alias = {", "alias = [{", "no JSON"),
    ("pci_devices", "p100-and-bridge", "\nend", "", "cut off"),
    ("pci_devices", "p100-and-bridge", "0x15f8 0x030200 vfio-pci", "0x15f8 vfio-pci", "not a device"),
    ("grub_config", "rhel7", "${kernelopts}\n}", "${kernelopts}\n", "cut off"),
    ("grub_defaults", "iommu-pt", 'iommu=pt"', "iommu=pt", "No closing quotation"),
]


@pytest.mark.parametrize(("tool", "sample", "there", "instead", "words"), CASES)
def test_refused(tool: str, sample: str, there: str, instead: str, words: str):
    """An answer that contradicts itself, is cut off or holds an unknown line is refused with that reason."""
    text = (SAMPLES / tool / f"{sample}.txt").read_bytes().decode()
    assert there in text

    with pytest.raises(ParseError) as caught:
        PARSERS[tool](text.replace(there, instead, 1))

    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (
            "Failed to initialize NVML: Driver/library version mismatch\nNVML library version: 535.183\n",
            "version-mismatch",
        ),
        ("No devices were found\n", "no-devices"),
        (
            "Unable to determine the device handle for GPU 0000:02:00.0: GPU is lost.  Reboot the system\n",
            "device-handle",
        ),
        ("NVIDIA-SMI couldn't find libnvidia-ml.so library in your system. Please make sure\n", "library-missing"),
        ("Failed to initialize NVML: Unknown Error\n", "nvml"),
        ("bash: nvidia-smi: command not found\n", "not-installed"),
        ("Failed to initialize NVML: GPU access blocked by the operating system\n", "blocked"),
        ('Field "fan.pwm" is not a valid field to query.\n', "invalid-field"),
    ],
)
@pytest.mark.parametrize("tool", ["nvidia_smi_query", "nvidia_smi_topo", "nvidia_smi_topo_p2p"])
def test_what_nvidia_smi_says_instead_of_an_answer(tool: str, text: str, kind: str):
    """A failure that nvidia-smi prints is a ToolFailure of its kind that quotes the line."""
    with pytest.raises(ToolFailure) as caught:
        PARSERS[tool](text)

    assert caught.value.kind == kind
    assert caught.value.line == text.split("\n")[0].strip()


def test_device_query_may_begin_with_the_number_of_devices():
    """deviceQuery without its first lines says the same."""
    text = (SAMPLES / "device_query/a100-sxm4.txt").read_text()

    assert PARSERS["device_query"](text[text.index("Detected 1") :]) == PARSERS["device_query"](text)
