"""Whatever the text, a parser returns data or a ParseError, in bounded time; a part is never taken for the whole."""

from __future__ import annotations

import time
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from probe_parsers import FURTHER, PARSERS, WHOLE, texts_of

from access.errors import ParseError
from probes.nvidia_smi import topology
from probes.nvidia_smi.query import Query
from probes.reading import TERMINAL_CONTROL

ALL = PARSERS | FURTHER
CHARACTERS = "0123456789abcdefGPUNVX:.,;-=+/()[]{}<>\"'\\*#!?%_ \t\n\r\0\x1b\x85\ufeff\ufffd٣é"
WORDS = (
    "ERR!",
    "N/A",
    "[Unknown Error]",
    "nan",
    "inf",
    "-0",
    "1e999",
    "9" * 400,
    "0x",
    "Result = PASS",
    "Device 0:",
    "GPU0",
    "04:00.0",
    "0000:04:00.0",
    "GB/s",
    "MB/s",
    " - ",
    "{",
    "[",
    '"',
    "\n\n",
    "\r\n",
    "\t\t",
    "$x",
    "===",
    "NVRM: Xid (",
    "Legend:",
    "SUM ",
    "Running x.",
    "linux",
    "menuentry 'x' {",
    "}",
    "alias = {",
    "\\u0000",
)
TEXT = st.text(st.sampled_from(CHARACTERS), max_size=400)
NOISE = st.one_of(st.text(max_size=40), st.sampled_from(WORDS))
LINE_ENDS = ("\r\n", "\r", "\r\r\n", "\n\n", "\x0b", "\u2028")
NEAR_THE_END_CHARS = 200
DAMAGED_AT_LEAST = 300
LIMIT_S = 1.0
"""Of processor time: other work on the machine does not count."""


def answer(tool: str, text: str) -> Any:
    """What the parser gives; None for a ParseError. Any other exception fails the test."""
    try:
        return ALL[tool](text)
    except ParseError as error:
        return str(error) and None


def damaged(texts: list[str], seed: int) -> str:
    """A real sample, damaged: cut, spliced with another one, with noise put in, lines moved or lost.

    It is made from a seed: hypothesis takes five times as long to draw each choice as the parsers to read the text, and
    its text of a failure is no shorter.
    """
    random = Random(seed)  # noqa: S311
    text = random.choice(texts)
    for _ in range(random.randint(1, 4)):
        text = _damage(random, text, random.choice(texts))
    return text


def _damage(random: Random, text: str, other: str) -> str:
    start = random.randint(0, len(text))
    end = min(len(text), start + random.randint(0, 60))
    noise = (
        random.choice(WORDS) if random.random() < 0.5 else "".join(random.choices(CHARACTERS, k=random.randint(1, 9)))
    )
    lines = text.split("\n")
    one, two = random.randrange(len(lines)), random.randrange(len(lines))
    match random.randrange(9):
        case 0:
            return text[:start]
        case 1:
            return text[start:]
        case 2:
            return text[:start] + text[end:]
        case 3:
            return text[:start] + noise + text[random.choice((start, end)) :]
        case 4:
            return text[:start] + other[start:]
        case 5:
            return text.replace("\n", random.choice(LINE_ENDS))
        case 6:
            lines[one], lines[two] = lines[two], lines[one]
        case 7:
            lines.insert(two, lines[one])
        case _:
            del lines[one]
    return "\n".join(lines)


EXAMPLES = {
    "audit_log": [
        'type=AVC msg=audit(1511.1:5): avc: denied { read } for pid=9 comm="qemu-kvm" path="/dev/vfio/5" '
        "tclass=chr_file\n"
    ],
    "failures": ["Failed to initialize NVML: Driver/library version mismatch\n"],
    "firmware": ["APIC\nDMAR\nUEFI\n"],
    "grubenv": ["# GRUB Environment Block\nsaved_entry=abc-5.14\nkernelopts=ro quiet\n####\n"],
    "guest_console": ["GPUACC-BEGIN a-1\nGPUACC-PCI 0000:00:05.0 0x10de 0x15f8 0x030200\nGPUACC-END a-1\n"],
    "guest_panic": ["Linux version 5.14\nKernel panic - not syncing: Out of memory\n"],
    "alias_request": ["a1:2,a2"],
    "host_inventory": [
        "kernel=3.10.0\ndriver=NVRM version: 384.81\ncard=0, Tesla P100, GPU-1, 3, 0000:04:00.0, 86.00\n"
    ],
    "kernel_config": ['# CONFIG_X is not set\nCONFIG_INTEL_IOMMU=y\nCONFIG_LOCALVERSION="-1"\n'],
    "kernel_release": ["3.10.0-693.el7.x86_64\n"],
    "libvirt_domains": [
        "=== 11111111-2222-3333-4444-555555555555 running\n<domain><devices><hostdev type='pci'><source><address "
        "domain='0x0000' bus='0x04' slot='0x00' function='0x0'/></source></hostdev></devices></domain>\n=== end\n"
    ],
    "clock": ["1790000000\n"],
    "cpu_vendor": ["vendor_id\t: GenuineIntel\n"],
    "memory_locking": [
        "daemon libvirtd\nMax locked memory         65536                67108864             bytes     \n"
        "CapEff:\t000001fffeffffff\nend\n"
    ],
    "nova_log": [
        "=== /var/log/nova/nova-compute.log\n2026-01-30 08:13:38.548 1 CRITICAL nova [-] Unhandled error: A: b\n"
    ],
    "numa_nodes": ["0 131072 0-13,28-41\n1 - 14-27\nend\n"],
    "memory_residue": ["words 4096 found 0\n"],
    "memory_residue_state": ["GPU-1, 86.00.26.00.02, 250.00, 250.00, Default, Enabled\n"],
    "module_parameters": ["allow_unsafe_interrupts:N\nend:\n"],
    "pci_claims": [
        "hypervisor_hostname\taddress\tstatus\tinstance_uuid\tvendor_id\tproduct_id\tnuma_node"
        "\tdev_type\ncompute-0.localdomain\t0000:04:00.0\tallocated\t1-2\t10de\t15f8\tNULL\ttype-PCI\n"
    ],
    "undercloud_rows": ['[{"Name": "compute-0", "Provisioning State": "active"}]\n'],
    "vfio_log": ["vfio-pci 0000:04:00.0: not ready 1023ms after FLR; giving up\n"],
}


def examples_of(tool: str) -> list[str]:
    """All samples, or where there are none a text of the parser's form."""
    return texts_of(tool) if tool in PARSERS else EXAMPLES[tool]


@pytest.mark.parametrize("tool", sorted(ALL))
def test_any_text_is_data_or_a_parse_error(tool: str):
    """A parser answers any text with data or with a ParseError, never with another exception."""

    @given(st.one_of(st.text(max_size=400), TEXT, st.lists(NOISE, max_size=12).map("\n".join)))
    def check(text: str) -> None:
        answer(tool, text)

    check()


@pytest.mark.parametrize("tool", sorted(ALL))
def test_a_damaged_answer_is_data_or_a_parse_error(tool: str):
    """A damaged sample gives data or a ParseError, in bounded time."""
    texts = examples_of(tool)
    first = Random().getrandbits(63)  # noqa: S311

    for seed in range(first, first + max(DAMAGED_AT_LEAST, settings.default.max_examples)):
        text = damaged(texts, seed)
        started = time.process_time()
        try:
            answer(tool, text)
        except Exception as error:
            error.add_note(f"seed {seed}: {text!r}")
            raise

        assert time.process_time() - started < LIMIT_S, f"seed {seed}: {text!r}"


@pytest.mark.parametrize("tool", WHOLE)
def test_the_beginning_of_an_answer_is_never_taken_for_the_whole(tool: str):
    """A cut answer is refused unless only parts that may be missing are missing."""
    whole = [(text, found) for text in texts_of(tool) if (found := answer(tool, text)) is not None]

    assert whole
    for text, expected in whole:
        for end in _ends(text):
            found = answer(tool, text[:end])

            assert found is None or found == expected or _lacks_only_what_may_lack(found, expected), text[:end]


def _ends(text: str) -> list[int]:
    """Each place near the end, where a cut is hard to see, and some before; each place if there are enough examples."""
    step = max(1, len(text) // settings.default.max_examples)
    return sorted({*range(0, len(text), step), *range(max(0, len(text) - NEAR_THE_END_CHARS), len(text))})


def _lacks_only_what_may_lack(found: Any, expected: Any) -> bool:
    """Of runs one below the other whole ones may stand without the last, a matrix without its legend, or the end of its
    last name, and a GPU of nvidia-smi -q without what newer drivers tell below its processes."""
    if isinstance(found, topology.Topology):
        return replace(found, nics={}) == replace(expected, nics={})
    if isinstance(found, Query):
        fields, whole = list(found.gpus[-1].fields.items()), list(expected.gpus[-1].fields.items())
        ends_with_processes = fields[-1][0].split("/")[0] == "Processes"
        return found.gpus[:-1] == expected.gpus[:-1] and ends_with_processes and fields == whole[: len(fields)]
    return isinstance(found, tuple) and found == expected[: len(found)]


@pytest.mark.parametrize("tool", sorted(PARSERS))
def test_line_ends_of_other_systems_change_nothing(tool: str):
    """CR and CRLF line ends give the same data as LF."""
    for text in texts_of(tool):
        unix = text.replace("\r\n", "\n").replace("\r", "\n")

        assert answer(tool, unix.replace("\n", "\r\n")) == answer(tool, unix)
        assert answer(tool, unix.replace("\n", "\r")) == answer(tool, unix)


@pytest.mark.parametrize("tool", sorted(PARSERS))
def test_a_copy_without_the_last_line_end_says_the_same(tool: str):
    """A missing newline at the end changes nothing."""
    for text in texts_of(tool):
        assert answer(tool, text.rstrip()) == answer(tool, text)


def test_a_topology_copied_from_a_terminal_says_the_same_as_with_its_tabs():
    """Tabs that a terminal turned into blanks give the same topology."""
    texts = [TERMINAL_CONTROL.sub("", text) for text in texts_of("nvidia_smi_topo") if "\t" in text]

    assert any("\t\t" in text for text in texts), "no sample with an empty cell"
    for text in texts:
        assert answer("nvidia_smi_topo", text.expandtabs(8)) == topology.parse(text)


MAY_BE_SILENT = {
    "audit_log",
    "failures",
    "grubenv",
    "guest_console",
    "guest_panic",
    "alias_request",
    "nova_log",
    "pci_claims",
    "undercloud_rows",
    "vfio_log",
}
"""An empty log, table or list is an answer."""
REPEATED = (
    " ",
    "\t",
    "\n",
    "a",
    "0",
    "9.",
    "-",
    ": ",
    "{",
    "[",
    "(",
    '"',
    "'",
    "$",
    "=\n",
    "GPU0\t",
    " - ",
    "0 ",
    "x: y\n",
    "\\\n",
    "04:00.0 ",
    "#",
    "<br>",
    "\x1b[",
    "${",
    ".",
    "Width x",
    "NVRM: ",
    "N/A ",
    "Mon ",
    "error ",
    "0000:04:00.0 ",
)


@pytest.mark.parametrize("length", [4_000, 16_000])
@pytest.mark.parametrize("tool", sorted(ALL))
def test_long_repetitions_take_bounded_time(tool: str, length: int):
    """No repeated text makes a parser slow."""
    base = examples_of(tool)[0]
    first = base.split("\n")[0]

    for unit in REPEATED:
        long = unit * (length // len(unit))
        for text in (long, f"{first}{long}", f"{base}{long}", f"{long}{base}", f"{first}\n{long}"):
            started = time.process_time()
            answer(tool, text)

            assert time.process_time() - started < LIMIT_S, unit


@pytest.mark.parametrize("tool", sorted(set(ALL) - {"failures"}))  # it reads lines that others have bounded
def test_an_answer_without_end_is_refused(tool: str):
    """An answer of several megabytes is refused at once."""
    started = time.process_time()

    with pytest.raises(ParseError):
        ALL[tool]("x" * 6_000_000)

    assert time.process_time() - started < LIMIT_S


@pytest.mark.parametrize("tool", sorted(set(ALL) - MAY_BE_SILENT))
@pytest.mark.parametrize("text", ["", " ", "\n", "\r\n\r\n", "\t", "\ufeff", "\x1b[A", "\x1b[0m\n\x1b[K"])
def test_nothing_is_a_parse_error(tool: str, text: str):
    """An empty answer is a ParseError where an empty one means nothing."""
    with pytest.raises(ParseError):
        ALL[tool](text)
