"""Whatever is wrong with what a user gives us, the answer is a clear message and an exit code, never a traceback."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
import yaml
from whole_lab import Run, WholeLab

ACCEPTED, REJECTED, USAGE, COULD_NOT_JUDGE = 0, 1, 4, 69


def said(run: Run, *words: str) -> None:
    """The output has all these words and nothing of our insides."""
    for word in words:
        assert word in run.output, f"{word!r} is not in: {run.output[-3000:]}"
    assert "Traceback (most recent call last)" not in run.output
    assert "INTERNALERROR" not in run.output


@pytest.fixture
def undeployed(lab: WholeLab) -> WholeLab:
    """The lab without an overcloud."""
    lab.command("reset")
    return lab


def test_an_unknown_cloud_lists_the_known_ones(lab: WholeLab):
    """The nearest name is offered."""
    run = lab.accept(cloud="lba")

    assert run.exit_code == USAGE
    said(run, "unknown cloud 'lba'", "known clouds: ", "did you mean lab?")


def test_all_mistakes_of_a_cloud_file_are_told_at_once(lab: WholeLab):
    """All mistakes are named at once, each with its line."""
    file = lab.cloud(
        "mistakes", release="okata", tenant={"quota": {"cores": 1}}, gpus=[{"model": "P100", "product_id": 1528}]
    )

    run = lab.accept(cloud=file)

    assert run.exit_code == USAGE
    said(run, "unknown release 'okata'", "tenant.quota", "put it in quotes")
    assert sum(line.strip().startswith("line ") for line in run.output.splitlines()) >= 4


def _existing(lab: WholeLab, name: str, **undercloud: object) -> Path:
    """The lab as if it were somebody's TripleO cloud: reached by what the cloud file says."""
    connection = yaml.safe_load(lab.command("up", "--json").splitlines()[-1])
    access = {
        "port": connection["ssh_port"],
        "key_file": connection["ssh_key"],
        "known_hosts": connection["known_hosts"],
    }
    external = connection["external_network"]
    return lab.cloud(
        name,
        kind="tripleo",
        undercloud={"address": connection["undercloud"], "user": connection["ssh_user"], **access, **undercloud},
        overcloud_access=access,
        networks={
            "external": {
                "name": "external",
                "cidr": external["cidr"],
                "gateway": external["gateway"],
                "pool": external["pool"],
            },
            "tenant": {"name": "tenant"},
        },
        image={"ssh_port": connection["ssh_port"]},
    )


def test_an_undercloud_that_does_not_answer_is_no_broken_cloud(lab: WholeLab):
    """Nothing was measured, so nothing is rejected."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        file = _existing(lab, "unreachable", address="127.0.0.1", port=closed.getsockname()[1])

        run = lab.accept(cloud=file)

    assert run.exit_code == COULD_NOT_JUDGE
    said(run, "cannot reach undercloud", "does a firewall stand between?")


def test_a_changed_host_key_ends_the_connection(lab: WholeLab, tmp_path: Path):
    """Another machine answers under the undercloud's name: nobody logs in there."""
    file = _existing(lab, "changed")
    content = yaml.safe_load(file.read_text())
    known = Path(content["undercloud"]["known_hosts"]).read_text().splitlines()
    address = content["undercloud"]["address"]
    mine = [line for line in known if address in line]
    others = [line for line in known if address not in line]
    forged = tmp_path / "known_hosts"
    forged.write_text(
        "\n".join(
            f"{entry.split()[0]} {' '.join(other.split()[1:])}" for entry, other in zip(mine, others, strict=False)
        )
    )
    file = _existing(lab, "changed", known_hosts=str(forged))

    run = lab.accept(cloud=file)

    assert run.exit_code == COULD_NOT_JUDGE
    said(run, "the host key of undercloud", "has changed", "remove its line from")


def test_a_key_that_the_undercloud_does_not_know_is_named(lab: WholeLab, tmp_path: Path):
    """Wrong credentials are our problem, not the cloud's."""
    import paramiko

    paramiko.ECDSAKey.generate().write_private_key_file(str(tmp_path / "key"))

    run = lab.accept(cloud=_existing(lab, "wrong-key", key_file=str(tmp_path / "key")))

    assert run.exit_code == COULD_NOT_JUDGE
    said(run, "refused our key or user", str(tmp_path / "key"))


def test_a_deploy_with_a_parameter_that_does_not_exist_is_never_started(undeployed: WholeLab):
    """Preflight names it before anything is made; what is missing then follows from it."""
    file = undeployed.cloud("refused", deploy={"parameters": {"NovaPCIPasthrough": []}})

    run = undeployed.accept(cloud=file)

    assert run.exit_code == REJECTED
    assert ("preflight.environments", "environments") in run.failed()
    said(run, "REJECTED  preflight.", "NovaPCIPasthrough")


def test_a_failed_deploy_says_what_the_command_said(undeployed: WholeLab):
    """An environment file of the user's that is not on the undercloud."""
    file = undeployed.cloud("deploy", deploy={"environment_files": ["/home/stack/absent.yaml"]})

    run = undeployed.accept(cloud=file)

    assert run.exit_code == REJECTED
    assert ("undercloud.overcloud.complete", "") in run.failed()
    assert not {check for check, _ in run.failed()} & {"preflight.files", "preflight.environments"}
    said(run, "No such file or directory: '/home/stack/absent.yaml'")


def test_a_failed_stack_says_the_resource_and_nova_s_reason(undeployed: WholeLab):
    """One instance more than there are cards; which one that is, is decided by whoever comes last."""
    guests = [
        {"name": "first", "flavor": "m1.xall"},
        {"name": "second", "flavor": "m1.xall"},
        {"name": "third", "flavor": "m1.xall"},
    ]
    file = undeployed.cloud("full", guests=guests)

    run = undeployed.accept(cloud=file)

    assert run.exit_code == REJECTED
    checks = ("control_plane.capacity.room", "instance.server.active", "instance.stack.complete")
    refused = {place for _, place in run.failed()}
    assert len(refused) == 1
    assert run.failed() == {(check, place) for check in checks for place in refused}
    said(run, "server", "No valid host was found", "cards-taken")
