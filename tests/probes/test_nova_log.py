"""The last words of a service of Nova."""

from __future__ import annotations

import pytest

from access.errors import ParseError
from probes.nova_log import parse

HEAD = "2026-01-30 08:13:38.548 17955"
ENDED = f"""=== /var/log/nova/nova-compute.log
{HEAD} INFO nova.service [-] Starting compute node (version 34.0.0)
{HEAD} CRITICAL nova [None req-dc80 - - - - - -] Unhandled error: nova.exception.PciInvalidAlias: Invalid PCI alias \
definition: NUMA policy mismatch for alias 'a1'
{HEAD} ERROR nova Traceback (most recent call last):
{HEAD} ERROR nova   File "/usr/lib/python3/nova/pci/request.py", line 219, in get_alias_from_config
{HEAD} ERROR nova     raise exception.PciInvalidAlias(reason=reason)
{HEAD} ERROR nova nova.exception.PciInvalidAlias: Invalid PCI alias definition: NUMA policy mismatch for alias 'a1'
{HEAD} ERROR nova\x20
"""


def test_the_exception_that_ended_a_service_is_told_without_its_traceback() -> None:
    """The line of `Unhandled error` says what ended it."""
    found = parse(ENDED)

    assert found is not None
    assert found.text.startswith("nova.exception.PciInvalidAlias: Invalid PCI alias definition: NUMA policy mismatch")
    assert found.source == "/var/log/nova/nova-compute.log"


def test_an_old_error_is_not_why_a_service_was_stopped() -> None:
    """Whoever stopped it, it went on after its last error."""
    stopped = f"{ENDED}{HEAD} INFO oslo_service.service [-] Caught SIGTERM, exiting\n"

    assert parse(stopped) is None


def test_why_a_service_ended_is_told_after_it_was_started_again() -> None:
    """Its manager starts it again at once, and its log goes on."""
    again = f"{ENDED}{HEAD} INFO nova.service [-] Starting compute node (version 34.0.0)\n"
    found = parse(again, goes_on=True)

    assert parse(again) is None
    assert found is not None
    assert found.text.startswith("nova.exception.PciInvalidAlias")


def test_an_error_without_unhandled_is_told_with_its_exception() -> None:
    """nova-compute logs why it cannot load its driver and exits by itself."""
    text = f"""=== /var/log/kolla/nova/nova-compute.log
{HEAD} INFO nova.virt.driver [-] Loading compute driver 'libvirt.LibvirtDriver2'
{HEAD} ERROR nova.virt.driver [-] Unable to load the virtualization driver: ImportError: no LibvirtDriver2
{HEAD} ERROR nova.virt.driver Traceback (most recent call last):
{HEAD} ERROR nova.virt.driver   File "driver.py", line 1, in load
{HEAD} ERROR nova.virt.driver ImportError: Class LibvirtDriver2 cannot be found
"""
    found = parse(text)

    assert found is not None
    assert "Unable to load the virtualization driver" in found.text
    assert "LibvirtDriver2 cannot be found" in found.text


def test_a_traceback_on_standard_error_counts_where_there_is_no_log() -> None:
    """A wrong value ends the service before it opens its log."""
    lines = [
        "=== journalctl",
        "Traceback (most recent call last):",
        '  File "x"',
        "cfg.ConfigFileValueError: Bad value",
    ]
    text = "\n".join(lines)
    found = parse(text)

    assert found is not None
    assert "Bad value" in found.text


@pytest.mark.parametrize("text", ["", "2026 ERROR nova x\n"])
def test_an_answer_without_its_source_is_refused(text: str) -> None:
    """An empty or foreign answer is no log."""
    with pytest.raises(ParseError):
        parse(text)


def test_a_healthy_log_has_no_last_words() -> None:
    """Lines of daily work end in no error."""
    assert parse(f"=== /var/log/nova/nova-api.log\n{HEAD} INFO nova.osapi [-] GET /v2.1 200\n") is None
    assert parse("=== /var/log/nova/nova-api.log\n") is None
