"""The simulated cards of the virtual machines: registers, capabilities, resets, and the protocol that QEMU speaks."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.errors import LabError
from lab.hosts.hardware import declaration, sysfs
from lab.metal import vfio_user
from lab.metal.bars import bars_of
from lab.metal.card import CONFIG_REGION, Card
from lab.metal.config_space import ConfigSpace, capabilities, extended_capabilities

MODELS = sorted(declaration.MODELS)
WIDE, NARROW = 0x14220C, 0x40200
COMMAND, POWER_STATE = 0x04, 0x64


def gpu_of(model: str) -> dict[str, object]:
    host = {
        "name": "gpu-0",
        "role": "Compute",
        "cpu": {},
        "memory_mb": 1,
        "firmware": {},
        "os": {},
        "gpus": [{"model": model, "address": "0000:41:00.0", "numa_node": 0}],
    }
    return dict(declaration.host_machine(host, "127.0.0.1")["gpus"][0])


@pytest.fixture(params=MODELS)
def card(request: pytest.FixtureRequest, tmp_path: Path) -> Card:
    return Card(gpu_of(request.param), tmp_path / "ailment.json")


def config(card: Card, offset: int, count: int = 4) -> int:
    return int.from_bytes(card.read(CONFIG_REGION, offset, count), "little")


def test_every_region_tells_its_size_when_it_is_asked_as_the_specification_says(card: Card):
    """All ones are written, and what can be kept tells the size: so firmware and the kernel learn it."""
    assert card.bars
    for bar in card.bars.values():
        count = 8 if bar.is_wide else 4
        before = config(card, bar.offset, count)
        card.write(CONFIG_REGION, bar.offset, b"\xff" * count)
        answer = config(card, bar.offset, count)
        card.write(CONFIG_REGION, bar.offset, before.to_bytes(count, "little"))

        assert (~(answer & ~0xF) + 1) & ((1 << 8 * count) - 1) == bar.size
        assert answer & 0xF == before & 0xF == (0xC if bar.is_wide else 0)
        assert config(card, bar.offset, count) == before


def test_registers_without_a_region_keep_nothing(card: Card):
    taken = {register + half for register, bar in card.bars.items() for half in range(2 if bar.is_wide else 1)}
    for register in {*range(6)} - taken:
        card.write(CONFIG_REGION, 0x10 + 4 * register, b"\xff" * 4)
        assert config(card, 0x10 + 4 * register) == 0


@pytest.mark.parametrize(
    ("regions", "words"),
    [
        ([(0, 3 << 20, NARROW)], "power of two"),
        ([(0, 8, NARROW)], "power of two"),
        ([(0, 1 << 20, WIDE)] * 4, "8 registers"),
    ],
)
def test_regions_that_no_register_can_say_are_refused(regions: list[tuple[int, int, int]], words: str):
    with pytest.raises(LabError, match=words):
        bars_of(regions)


def test_the_list_of_capabilities_is_whole(card: Card):
    """Power management, MSI and PCI Express are found by whoever follows the list, and the extended list ends."""
    content = card.read(CONFIG_REGION, 0, 4096)

    assert [identifier for _, identifier in capabilities(content)] == [0x01, 0x05, 0x10]
    extended = [identifier for _, identifier in extended_capabilities(content)]
    assert extended[0] == 0x02
    assert 0x01 in extended
    assert len(extended) == len(set(extended))


def test_a_circle_in_the_list_ends():
    content = bytearray(256)
    content[0x34], content[0x40], content[0x41] = 0x40, 0x01, 0x40

    assert list(capabilities(bytes(content))) == [(0x40, 0x01)]


def test_only_what_can_be_written_is_written_and_a_reset_undoes_it(card: Card):
    whole = card.read(CONFIG_REGION, 0, 4096)
    for offset in range(0, 4096, 4):
        card.write(CONFIG_REGION, offset, b"\xff" * 4)
    written = card.read(CONFIG_REGION, 0, 4096)

    assert written[:4] == whole[:4]
    assert written[COMMAND : COMMAND + 2] == b"\x47\x05" or written[COMMAND] & 0x07 == 0x07
    assert written[POWER_STATE] & 0x3 == 0x3
    assert written != whole
    card.reset()
    assert card.read(CONFIG_REGION, 0, 4096) == whole


def test_a_card_that_nobody_uses_has_its_link_and_no_driver(card: Card):
    """Bus mastering and MSI are off until a driver turns them on."""
    assert config(card, COMMAND, 2) & 0x4 == 0
    assert config(card, 0x6A, 2) & 0x1 == 0
    assert config(card, 0x8A, 2) & 0x3F0 == 16 << 4


def test_memory_keeps_what_is_written_until_a_reset(card: Card):
    card.write(0, 0x1FFE, b"abcd")

    assert card.read(0, 0x1FFE, 4) == b"abcd"
    assert card.read(0, 0x2002, 2) == b"\0\0"
    card.reset()
    assert card.read(0, 0x1FFE, 4) == b"\0\0\0\0"


def test_what_ails_a_card_shows_while_it_does(tmp_path: Path):
    ailment = tmp_path / "gpu0.json"
    card = Card(gpu_of("P100-PCIE-16GB"), ailment)

    ailment.write_text(json.dumps({"answers_all_ones": True}))
    assert config(card, 0) == 0xFFFFFFFF
    ailment.unlink()
    assert config(card, 0) == 0x15F810DE

    ailment.write_text(json.dumps({"lost_in_reset": True}))
    assert config(card, 0) == 0x15F810DE
    card.reset()
    assert config(card, 0) == 0xFFFFFFFF


def test_beyond_its_end_a_configuration_space_reads_all_ones():
    space = ConfigSpace(bytes(256), ())

    assert space.read(254, 4) == b"\0\0\xff\xff"
    space.write(255, b"\x01\x02")
    assert len(space) == 256


@pytest.fixture
def client(tmp_path: Path) -> Iterator[socket.socket]:
    path = tmp_path / "gpu.sock"
    card = Card(gpu_of("P100-PCIE-16GB"), tmp_path / "ailment.json")
    threading.Thread(target=vfio_user.serve, args=(path, card), daemon=True).start()
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        while connection.connect_ex(str(path)):
            pass
        yield connection


def ask(client: socket.socket, command: int, body: bytes = b"", flags: int = 0) -> tuple[int, bytes]:
    """Error number and body of the reply."""
    client.sendall(vfio_user.HEADER.pack(7, command, 16 + len(body), flags, 0) + body)
    number, answered, size, kind, error = vfio_user.HEADER.unpack(client.recv(16, socket.MSG_WAITALL))
    assert (number, answered, kind & 1) == (7, command, 1)
    return error, client.recv(size - 16, socket.MSG_WAITALL) if size > 16 else b""


def test_a_client_learns_what_the_device_is(client: socket.socket):
    _, version = ask(client, vfio_user.Command.VERSION, struct.pack("<HH", 0, 0) + b"{}\0")
    assert json.loads(version[4:-1])["capabilities"]["pgsize"] == 4096

    _, device = ask(client, vfio_user.Command.DEVICE_INFO, bytes(16))
    assert struct.unpack("<IIII", device) == (16, 3, 9, 5)
    sizes = {}
    for region in range(9):
        _, told = ask(client, vfio_user.Command.REGION_INFO, struct.pack("<IIIIQQ", 32, 0, region, 0, 0, 0))
        sizes[region] = struct.unpack("<IIIIQQ", told)[4]
    assert sizes[0] == 16 << 20
    assert sizes[1] == 16 << 30
    assert sizes[3] == 32 << 20
    assert sizes[7] == 4096


def test_regions_are_read_and_written_over_the_socket(client: socket.socket):
    def read(offset: int, count: int) -> bytes:
        _, body = ask(client, vfio_user.Command.REGION_READ, struct.pack("<QII", offset, 7, count))
        return body[16:]

    assert read(0, 4) == b"\xde\x10\xf8\x15"
    ask(client, vfio_user.Command.REGION_WRITE, struct.pack("<QII", 0x10, 7, 4) + b"\xff" * 4)
    assert read(0x10, 4) == b"\0\0\0\xff"
    ask(client, vfio_user.Command.RESET)
    assert read(0x10, 4) == b"\0\0\0\0"


def test_a_message_that_wants_no_reply_gets_none_and_an_unknown_one_an_error(client: socket.socket):
    client.sendall(vfio_user.HEADER.pack(1, vfio_user.Command.RESET, 16, vfio_user.NO_REPLY, 0))

    error, body = ask(client, 77)
    assert (error, body) == (vfio_user.NOT_SUPPORTED, b"")


def test_the_card_is_the_one_of_the_emulated_hosts():
    """One declaration feeds both tiers: the same ids, the same capabilities."""
    gpu = gpu_of("P100-PCIE-16GB")
    function = sysfs.card_function(gpu)

    assert sysfs.config_space(function)[:4] == b"\xde\x10\xf8\x15"
    assert function.driver is None
