"""Asks the real Nova of the lab's environment what it makes of configurations: `python real_nova.py <cases.json`."""

from __future__ import annotations

import json
import sys
from typing import Any


def answer(case: dict[str, Any]) -> str:
    """The exception with which Nova refuses a case, "" if it takes it."""
    import nova.conf
    from nova.pci import request, whitelist

    conf = nova.conf.CONF
    conf.set_override("pci_in_placement", bool(case.get("in_placement")), "filter_scheduler")
    conf.set_override("report_in_placement", bool(case.get("reports")), "pci")
    conf.set_override("alias", [json.dumps(alias) for alias in case.get("aliases", ())], "pci")
    conf.set_override("device_spec", [json.dumps(spec) for spec in case.get("specs", ())], "pci")
    try:
        if "aliases" in case:
            request.get_alias_from_config.cache_clear()
            request.get_alias_from_config()
        else:
            whitelist.Whitelist(conf.pci.device_spec)
    except Exception as error:  # whatever ends the service
        return f"{type(error).__name__}: {error}"
    return ""


if __name__ == "__main__":
    from nova import config

    config.parse_args(["nova-api"], default_config_files=[], configure_db=False, init_rpc=False)
    sys.stdout.write(json.dumps([answer(case) for case in json.load(sys.stdin)]))
