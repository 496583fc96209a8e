"""A value that is written in a tool's form is read as itself."""

from __future__ import annotations

import json
import string
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from probes import bandwidth_sample, grub, kernel_cmdline, lsmod, lspci, nova_conf, nvbandwidth, p2p_bandwidth
from probes.nvidia_smi import topology
from probes.pci_address import PciAddress

WORD = st.text(string.ascii_letters + string.digits + "_", min_size=1, max_size=12)
ADDRESSES = st.builds(
    PciAddress.of, st.integers(0, 0xFFFFFFFF), st.integers(0, 255), st.integers(0, 31), st.integers(0, 7)
)


@st.composite
def matrices(draw: st.DrawFn) -> tuple[tuple[float, ...], ...]:
    """One to sixteen GPUs; cells by a seed, for drawing each takes longer than all the rest."""
    size, seed = draw(st.integers(1, 16)), draw(st.integers(0, 2**32 - 1))
    random = Random(seed)  # noqa: S311
    return tuple(tuple(random.randint(1, 999_999) / 100 for _ in range(size)) for _ in range(size))


@given(ADDRESSES)
def test_pci_address(address: PciAddress):
    """An address is the same however it is written."""
    assert PciAddress(address) == address
    assert PciAddress.of(address.domain, address.bus, address.device, address.function) == address
    assert PciAddress(f"{address.domain:08X}:{address.bus:02X}:{address.device:02X}.{address.function}") == address


@given(
    st.lists(st.text(string.ascii_letters + string.digits + "=,._-/:", min_size=1, max_size=20), min_size=1, max_size=9)
)
def test_kernel_arguments(words: list[str]):
    """Arguments that were joined by blanks are read back."""
    arguments = tuple(word for word in words if word != "--")
    if not arguments or arguments[0].startswith("/"):
        arguments = ("ro", *arguments)

    assert kernel_cmdline.parse(" ".join(arguments) + "\n").arguments == arguments


@given(
    st.dictionaries(
        WORD, st.text(string.ascii_letters + string.digits + " =,._-/:", max_size=30), min_size=1, max_size=6
    )
)
def test_grub_defaults(variables: dict[str, str]):
    """Variables that were written are read back."""
    named = {f"GRUB_{name}": value for name, value in variables.items()}
    text = "# defaults\n" + "".join(f'{name}="{value}"\n' for name, value in named.items())

    assert grub.parse_defaults(text).variables == named


@given(st.dictionaries(WORD, st.tuples(st.integers(0, 10**9), st.integers(0, 99)), min_size=1, max_size=8))
def test_modules(rows: dict[str, tuple[int, int]]):
    """Rows of lsmod are read back with size and use count."""
    text = "Module                  Size  Used by\n"
    text += "".join(f"{name:<19} {size:>8}  {uses} \n" for name, (size, uses) in rows.items())

    assert {name: (module.size_bytes, module.use_count) for name, module in lsmod.parse(text).items()} == rows


@given(st.lists(ADDRESSES, min_size=1, max_size=16, unique=True))
def test_devices_of_lspci(addresses: list[PciAddress]):
    """Addresses of lspci are read back in their order."""
    text = "".join(
        f"{address} 3D controller [0302]: NVIDIA Corporation X [10de:15f8] (rev a1)\n" for address in addresses
    )

    assert [device.address for device in lspci.parse(text)] == addresses


@given(
    st.lists(st.dictionaries(WORD, st.one_of(WORD, st.booleans(), st.integers()), min_size=1, max_size=4), max_size=5),
    st.lists(WORD, max_size=5),
    st.booleans(),
)
def test_aliases_and_filters(aliases: list[dict[str, object]], filters: list[str], is_old: bool):
    """Aliases and filters of old and new releases are read back."""
    section, name = ("DEFAULT", "pci_alias") if is_old else ("pci", "alias")
    text = f"[{section}]\n" + "".join(f"{name} = {json.dumps(alias, indent=1)[:-1].rstrip()} }}\n" for alias in aliases)
    text += f"[filter_scheduler]\nenabled_filters = {', '.join(filters)}\n"

    found = nova_conf.parse(text)

    assert list(found.aliases) == aliases
    assert list(found.filters or ()) == filters


@given(st.integers(1, 16), st.integers(0, 2**32 - 1))
def test_topology(count: int, seed: int):
    """Connections and affinities of a topology are read back."""
    random = Random(seed)  # noqa: S311
    names = [f"GPU{index}" for index in range(count)]
    connections = {}
    for one in range(count):
        for other in range(one):
            connection = random.choice(["PIX", "PXB", "PHB", "NODE", "SYS", "NV2", "NV18"])
            connections[names[one], names[other]] = connections[names[other], names[one]] = connection
    rows = [[name, *(connections.get((name, other), " X ") for other in names), "0-23", "0"] for name in names]
    text = "\t" + "\t".join([*names, "CPU Affinity", "NUMA Affinity"]) + "\n"
    text += "".join("\t".join(row) + "\n" for row in rows)

    found = topology.parse(text)

    assert found.connections == connections
    assert found.gpus == tuple(names)
    assert set(found.numa_affinity.values()) == {"0"}


@given(matrices())
def test_matrix_between_gpus(matrix: tuple[tuple[float, ...], ...]):
    """A matrix of p2pBandwidthLatencyTest is read back."""
    size = len(matrix)
    text = "Unidirectional P2P=Enabled Bandwidth (P2P Writes) Matrix (GB/s)\n   D\\D"
    text += "".join(f"{index:6d} " for index in range(size)) + "\n"
    text += "".join(
        f"{index:6d} " + "".join(f"{cell:6.02f} " for cell in row) + "\n" for index, row in enumerate(matrix)
    )

    assert p2p_bandwidth.parse_matrices(text) == {"Unidirectional Enabled": matrix}


@given(matrices())
def test_matrix_of_nvbandwidth(matrix: tuple[tuple[float, ...], ...]):
    """A matrix of nvbandwidth is read back."""
    text = "Running all_to_one_read_ce.\nmemcpy CE GPU(row) -> GPU(column) bandwidth (GB/s)\n "
    text += "".join(f"{index:10d}" for index in range(len(matrix))) + "\n"
    text += "".join(f"{index}" + "".join(f"{cell:10.2f}" for cell in row) + "\n" for index, row in enumerate(matrix))
    text += f"\nSUM all_to_one_read_ce {sum(map(sum, matrix)):.2f}\n"

    assert nvbandwidth.parse(text).matrices["all_to_one_read_ce"].cells == matrix


@given(
    st.dictionaries(
        st.integers(1, 10**10), st.integers(0, 99_999).map(lambda tenths: tenths / 10), min_size=1, max_size=90
    )
)
def test_sizes_of_bandwidth_test(figures: dict[int, float]):
    """Sizes and figures of bandwidthTest are read back."""
    rows = sorted(figures.items())
    text = "[CUDA Bandwidth Test] - Starting...\nRunning on...\n\n Device 0: Tesla T4\n Range Mode\n\n"
    text += " Host to Device Bandwidth, 1 Device(s)\n PINNED Memory Transfers\n"
    text += "   Transfer Size (Bytes)\tBandwidth(GB/s)\n"
    text += "".join(f"   {size}\t\t\t{value:.1f}\n" for size, value in rows) + "\nResult = PASS\n"

    points = bandwidth_sample.parse(text).series["h2d"].points

    assert [(point.size_bytes, point.printed) for point in points] == rows
