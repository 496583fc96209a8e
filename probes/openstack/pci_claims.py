"""Nova's table pci_devices: which device is claimed for which instance. No API shows it, the database does.

nova-conductor's own Python and its own connection reach it wherever the database is; where that does not work, a client
of MySQL beside the database does.
"""

from __future__ import annotations

import posixpath
import re
import shlex
from dataclasses import dataclass

from access.errors import ParseError
from access.host import Host, output_of
from probes.nova_process import TITLE, NovaProcess, steps
from probes.pci_address import PciAddress
from probes.reading import WHOLE, bounded

COLUMNS = (
    "hypervisor_hostname",
    "address",
    "status",
    "instance_uuid",
    "vendor_id",
    "product_id",
    "numa_node",
    "dev_type",
)
STATEMENT = (
    "SELECT n.hypervisor_hostname, p.address, p.status, p.instance_uuid, p.vendor_id, p.product_id, p.numa_node,"
    " p.dev_type FROM pci_devices p JOIN compute_nodes n ON n.id = p.compute_node_id"
    " WHERE p.deleted = 0 AND n.deleted = 0"
)
COMMAND = f"""
if command -v mysql >/dev/null 2>&1; then exec mysql -B nova -e "{STATEMENT}"; fi
engine=$(command -v podman || command -v docker) || {{ echo "neither mysql nor a container engine" >&2; exit 127; }}
exec $engine exec -u root "$($engine ps -q -f name=galera-bundle | head -n 1)" mysql -B nova -e "{STATEMENT}"
"""
SCRIPT = """
import sys
from urllib.parse import urlparse
import sqlalchemy
from oslo_config import cfg
conf = cfg.ConfigOpts()
for group in ("database", "api_database"):
    conf.register_opts([cfg.StrOpt("connection", secret=True)], group=group)

def rows(url, statement):
    engine = sqlalchemy.create_engine(url)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if engine.dialect.name == "mysql":
            connection.execute(sqlalchemy.text("SET SESSION TRANSACTION READ ONLY"))
        return [tuple(row) for row in connection.execute(sqlalchemy.text(statement))]

def cells():
    own = conf.database.connection
    if not conf.api_database.connection:
        return [own]
    parts = urlparse(own or "")
    names = ("username", "password", "hostname", "port", "scheme", "query", "fragment")
    known = dict({name: getattr(parts, name) for name in names}, path=parts.path.lstrip("/"))
    mapped = rows(conf.api_database.connection, "SELECT database_connection FROM cell_mappings")
    return sorted({url.format(**known) if own else url for (url,) in mapped}) or [own]

try:
    conf(sys.argv[3:], project="nova", prog="nova-conductor")
    print(sys.argv[2])
    for cell in cells():
        for row in rows(cell, sys.argv[1]):
            print("\\t".join("NULL" if value is None else str(value) for value in row))
except Exception as error:  # its text may quote the connection
    sys.exit("the databases of nova-conductor: " + type(error).__name__)
"""
"""One statement that reads, in every cell that Nova knows, with the connections that nova-conductor has.

Neither URL nor password is printed. https://docs.openstack.org/nova/latest/admin/cells.html
"""
PYTHON = re.compile(r"(?:/[\w.+-]{1,80}){1,12}/python[0-9.]{0,6}")
INSIDE = """
pid={pid}
same() {{ [ "$(readlink /proc/$pid/ns/$1)" = "$(readlink /proc/self/ns/$1)" ]; }}
net=; same net || net=--net
exec nsenter --target $pid --mount --root --wd $net -- {command}
"""
STATUSES = ("available", "claimed", "allocated", "removed", "deleted", "unclaimable", "unavailable")
ADDRESS = re.compile(r"[0-9a-f]{4,}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")


@dataclass(frozen=True)
class PciClaim:
    """One device as Nova has it."""

    host: str
    """Short name of the hypervisor."""
    address: PciAddress
    status: str
    instance_id: str | None
    vendor_id: str
    product_id: str
    numa_node: int | None
    device_type: str = ""
    """type-PCI, type-PF, type-VF, vdpa."""

    @property
    def is_taken(self) -> bool:
        """Whether it is claimed or allocated for an instance."""
        return self.status in ("claimed", "allocated")


def parse(text: str) -> tuple[PciClaim, ...]:
    """Read mysql's batch output; no rows at all is an empty table.

    Raises:
        ParseError: other columns, or a row that is no device.
    """
    lines = bounded("mysql", text).splitlines()
    if not lines:
        return ()
    if tuple(lines[0].split("\t")) != COLUMNS:
        raise ParseError("mysql", "other columns", line=lines[0], line_number=1)
    return tuple(_claim(line, number) for number, line in enumerate(lines[1:], start=2))


def _claim(line: str, number: int) -> PciClaim:
    fields: list[str | None] = [None if field == "NULL" else field for field in line.split("\t")]
    if len(fields) != len(COLUMNS) or fields[2] not in STATUSES or not ADDRESS.fullmatch(str(fields[1])):
        raise ParseError("mysql", "not a PCI device", line=line, line_number=number)
    host, address, status, instance, vendor, product, node, kind = fields
    if node is not None and not WHOLE.fullmatch(node):
        raise ParseError("mysql", "no NUMA node", line=line, line_number=number)
    return PciClaim(
        str(host).split(".")[0],
        PciAddress(str(address)),
        str(status),
        instance,
        str(vendor),
        str(product),
        None if node is None else int(node),
        str(kind or ""),
    )


def read(controller: Host, conductor: NovaProcess | None = None, *, enter: str = "") -> tuple[PciClaim, ...]:
    """All devices: by nova-conductor's own connection, or from the database of a controller as its root.

    `enter` is what runs a command where the conductor is, if the host does not see its process.

    Raises:
        CommandError: neither reaches the database, or it refuses.
    """
    if conductor is not None:
        head = "\t".join(COLUMNS)
        command = shlex.join([python_of(conductor), "-c", SCRIPT, STATEMENT, head, *_options(conductor)])
        inside = f"{enter} {command}" if enter else INSIDE.format(pid=conductor.pid, command=command)
        answer = controller.run(inside, as_root=True)
        if answer.exit_code == 0:
            return parse(answer.stdout)
    return parse(output_of(controller, COMMAND, as_root=True).stdout)


def python_of(process: NovaProcess) -> str:
    """The interpreter that a service runs in: its virtual environment's, if it has one.

    A service that calls itself something else than its command line tells its program there: Python lies beside it.
    """
    first = process.arguments[0] if process.arguments else ""
    title = TITLE.fullmatch(first)
    program = title[2].split(" ")[0] if title is not None else ""
    beside = f"{posixpath.dirname(program)}/python3"
    return next((word for word in (first, beside) if PYTHON.fullmatch(word)), "python3")


def _options(process: NovaProcess) -> tuple[str, ...]:
    """The files that its command line names."""
    given = [step for step in steps(process, "nova-conductor") if step.kind in ("file", "directory")]
    names = {"file": "--config-file", "directory": "--config-dir"}
    return tuple(word for step in given for word in (names[step.kind], *step.paths))
