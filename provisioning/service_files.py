"""The files that a service of Nova reads on a host, for the checks that judge them."""

from __future__ import annotations

from contextlib import suppress
from functools import cache, partial

from access.host import Host
from judging.configuration import Configuration, Deployed, changed_file
from probes import nova_process
from probes.nova_process import ConfigFile, NovaProcess, ProcessGone, ReadFiles
from provisioning.gathering import Plan


@cache
def plan_of(deployed: Deployed) -> Plan:
    """What `configuration` will ask; where the process is entered from outside it is only asked when it is needed."""
    if deployed.enter:
        return Plan()
    asked = nova_process.question_of(deployed.service, anchor=deployed.anchor)
    return Plan((asked,), (partial(configuration, deployed=deployed),))


def configuration(host: Host, deployed: Deployed) -> Configuration:
    """What a service on a host reads."""
    process, read = _read(host, deployed)
    files = tuple((deployed.shown(file.path), file.text) for file in read.files)
    return Configuration(
        path=changed_file(deployed, files),
        files=(*files, *nova_process.overrides(process)),
        process=process,
        inside=read.files,
        missing=read.missing,
    )


def _read(host: Host, deployed: Deployed) -> tuple[NovaProcess | None, ReadFiles]:
    """The process of a service, with the files that it reads; what ends while it is looked at does not run."""
    process, enter = nova_process.reach(host, deployed.service, anchor=deployed.anchor, enter=deployed.enter)
    if process is not None:
        with suppress(ProcessGone):
            return process, nova_process.read(host, deployed.service, process, enter=enter)
    if deployed.container_engine:  # its container may not run, and the host's own /etc is not what it reads
        return None, nova_process.read_written(host, deployed.nova_conf)
    return None, nova_process.read(host, deployed.service, None, enter=enter)


def written_for(host: Host, deployed: Deployed, found: Configuration) -> tuple[ConfigFile, ...]:
    """The files of the host that the service reads or copies; none for one with an /etc of its own and no copies."""
    own = found.process is not None and not found.process.sees_host and not deployed.container_engine
    if deployed.enter or own:
        return ()
    return nova_process.read_written(host, deployed.nova_conf).files
