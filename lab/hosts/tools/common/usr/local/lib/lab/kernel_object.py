"""Kernel modules as files: ELF objects with a .modinfo section, enough for depmod, modinfo and lspci -k."""

import os
import struct

SECTION = struct.Struct("<IIQQQQIIQQ")
PROGBITS, SYMTAB, STRTAB, ALLOCATED = 1, 2, 3, 2


def write(path, release, fields):
    """Write the module `path` for the kernel `release`; fields are (name, value) pairs such as ("alias", "pci:…")."""
    name = os.path.basename(path).split(".")[0].replace("-", "_")
    fields = [*fields, ("name", name), ("vermagic", f"{release} SMP mod_unload modversions ")]
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as stream:
        stream.write(_elf(b"".join(f"{key}={value}".encode() + b"\0" for key, value in fields)))


def _elf(modinfo):
    names = b"\0.modinfo\0.symtab\0.strtab\0.shstrtab\0"
    strings = b"\0init_module\0"
    symbols = bytes(24) + struct.pack("<IBBHQQ", 1, 0x12, 0, 1, 0, 0)
    bodies = [(b".modinfo", PROGBITS, modinfo), (b".symtab", SYMTAB, symbols), (b".strtab", STRTAB, strings)]
    bodies.append((b".shstrtab", STRTAB, names))
    data, headers = bytearray(64), [bytes(SECTION.size)]
    for name, kind, body in bodies:
        data += bytes(-len(data) % 8)
        link, info, entry = (3, 1, 24) if kind == SYMTAB else (0, 0, 0)
        flags = ALLOCATED if name == b".modinfo" else 0
        offset = names.index(name + b"\0")
        headers.append(SECTION.pack(offset, kind, flags, 0, len(data), len(body), link, info, 8, entry))
        data += body
    data += bytes(-len(data) % 8)
    identification = b"\x7fELF" + bytes((2, 1, 1)) + bytes(9)
    relocatable, x86_64 = 1, 62
    header = struct.pack(
        "<16sHHIQQQIHHHHHH", identification, relocatable, x86_64, 1, 0, 0, len(data), 0, 64, 0, 0, 64, len(headers), 4
    )
    data[: len(header)] = header
    return bytes(data + b"".join(headers))
