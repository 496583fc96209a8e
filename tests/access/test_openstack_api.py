"""Answers of OpenStack's APIs: what could not be asked is told apart from what the cloud refused."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from keystoneauth1 import loading, session
from keystoneauth1.adapter import Adapter
from openstack import exceptions as sdk

from access import openstack_api
from access.errors import AcceptanceError, AuthenticationError, ConnectError, ProvisioningError
from access.openstack_api import as_user, connect, translated, without_time_limit

CREDENTIALS = {"OS_USERNAME": "u", "OS_PASSWORD": "p", "OS_PROJECT_NAME": "x"}


@contextmanager
def answering(status: int) -> Iterator[str]:
    """A server on loopback that answers every request with one status; its URL."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("x-openstack-request-id", "req-12345")
            self.end_headers()

        do_POST = do_GET  # noqa: N815  the names are http.server's

        def log_message(self, *arguments: Any) -> None:
            """Quiet."""

    server = HTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def ask(url: str, method: str) -> None:
    """One request as openstacksdk makes it."""
    response = Adapter(session.Session()).request(url, method, raise_exc=False)
    sdk.raise_from_response(response)


@pytest.mark.parametrize(
    ("method", "status", "error"),
    [
        ("GET", 500, ConnectError),
        ("GET", 503, ConnectError),
        ("GET", 429, ConnectError),
        ("POST", 429, ConnectError),
        ("POST", 502, ConnectError),
        ("POST", 503, ConnectError),
        ("POST", 504, ConnectError),
        ("POST", 500, ProvisioningError),
        ("POST", 400, ProvisioningError),
        ("POST", 409, ProvisioningError),
        ("GET", 404, ProvisioningError),
        ("GET", 403, AuthenticationError),
    ],
)
def test_a_failed_reading_is_no_finding(method: str, status: int, error: type[AcceptanceError]) -> None:
    """An API that cannot answer says nothing about the cloud; one that refuses or fails a request does."""
    with answering(status) as url, pytest.raises(error) as raised, translated("list servers"):
        ask(url, method)

    assert type(raised.value) is error
    assert "cannot list servers" in str(raised.value)


def test_a_console_that_is_not_shown_says_nothing_about_its_instance() -> None:
    """Nova's actions are POST, also those that only look: a failed one is no panic of the guest."""
    with answering(500) as url, pytest.raises(ConnectError), translated("read a console", only_reads=True):
        ask(url, "POST")


def test_an_unavailable_api_is_named_by_its_request() -> None:
    """The request's id is what an operator searches the API's log for."""
    with answering(503) as url, pytest.raises(ConnectError, match="req-12345"), translated("list servers"):
        ask(url, "GET")


def test_keystone_that_fails_is_no_finding() -> None:
    """Logging in is a POST, but of Keystone's own plugin, whose errors are not openstacksdk's."""
    with answering(503) as url, pytest.raises(ConnectError, match="log in"):
        connect({**CREDENTIALS, "OS_AUTH_URL": f"{url}/v3"})


def test_an_api_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stopped process still accepts connections: the kernel does."""
    monkeypatch.setattr(openstack_api, "API_TIMEOUT_S", 0.2)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()

        with pytest.raises(ConnectError, match="timed out"):
            connect({**CREDENTIALS, "OS_AUTH_URL": f"http://127.0.0.1:{listening.getsockname()[1]}/v3"})


def test_nobody_listens() -> None:
    """A closed port is told at once."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/v3"

    with pytest.raises(ConnectError, match="refused"):
        connect({**CREDENTIALS, "OS_AUTH_URL": url})


def test_an_upload_has_no_time_limit_and_what_follows_has() -> None:
    """The limit comes back also after a failed upload."""
    connection = SimpleNamespace(session=SimpleNamespace(timeout=60.0))

    with pytest.raises(requests.ConnectionError), without_time_limit(connection):
        assert connection.session.timeout is None
        raise requests.ConnectionError

    assert connection.session.timeout == 60.0


def _asked_of_keystone(variables: dict[str, str]) -> dict[str, Any]:
    """What a connection from these variables sends to Keystone."""
    login = openstack_api._login({"OS_AUTH_URL": "http://127.0.0.1:5000/v3", **variables})
    plugin = loading.get_plugin_loader(login.get("auth_type", "v3password")).load_from_options(**login["auth"])
    method = plugin.auth_methods[0]
    name, data = method.get_auth_data(None, plugin, {}, {})
    return {name: data}


def test_a_token_and_a_password_log_in() -> None:
    """As the rc file of any deployer has it; without a domain it is Default, as ever."""
    assert _asked_of_keystone({"OS_TOKEN": "t", "OS_PROJECT_NAME": "p", "OS_USERNAME": "u"})["token"] == {"id": "t"}
    person = {"OS_USERNAME": "u", "OS_PASSWORD": "p", "OS_TENANT_NAME": "old"}
    assert _asked_of_keystone(person)["password"]["user"] == {
        "password": "p",
        "name": "u",
        "domain": {"name": "Default"},
    }
    login = openstack_api._login({**person, "OS_INTERFACE": "internal", "OS_CACERT": "/ca.pem", "OS_INSECURE": "True"})
    assert login["auth"]["project_name"] == "old"
    assert (login["interface"], login["cacert"], login["verify"]) == ("internal", "/ca.pem", False)


@pytest.mark.parametrize(
    "administrator",
    [
        {"OS_USERNAME": "a", "OS_PASSWORD": "s", "OS_USER_DOMAIN_NAME": "staff", "OS_PROJECT_DOMAIN_ID": "d"},
        {"OS_APPLICATION_CREDENTIAL_ID": "i", "OS_APPLICATION_CREDENTIAL_SECRET": "s"},
        {"OS_TOKEN": "s", "OS_AUTH_TYPE": "v3token", "OS_PROJECT_ID": "p", "OS_SYSTEM_SCOPE": "all"},
        {"OS_USER_ID": "a", "OS_PASSWORD": "s", "OS_USER_DOMAIN_ID": "staff", "OS_TENANT_NAME": "t"},
    ],
)
def test_another_user_takes_nothing_of_who_the_administrator_is(administrator: dict[str, str]) -> None:
    """Where and how the cloud is reached stays: address, region, interface, authority."""
    shared = {"OS_AUTH_URL": "u", "OS_REGION_NAME": "r", "OS_INTERFACE": "internal", "OS_CACERT": "c"}

    found = as_user({**shared, **administrator}, user="t", password="p", project="tp", domain="Default")

    assert found == {
        **shared,
        "OS_USERNAME": "t",
        "OS_PASSWORD": "p",
        "OS_PROJECT_NAME": "tp",
        "OS_USER_DOMAIN_NAME": "Default",
        "OS_PROJECT_DOMAIN_NAME": "Default",
    }


def test_an_entry_of_clouds_yaml_is_shared_without_its_login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its authority, versions and region are those of the cloud; its application credential is the administrator's."""
    file = tmp_path / "clouds.yaml"
    file.write_text(
        "clouds: {ours: {auth_type: v3applicationcredential, region_name: west, interface: internal, cacert: /ca.pem,"
        " compute_api_version: '2.1', identity_endpoint_override: 'https://k', auth: {auth_url: 'https://k/v3',"
        " application_credential_id: i, application_credential_secret: s}}}"
    )
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(file))
    variables = as_user({"OS_CLOUD": "ours"}, user="t", password="p", project="tp", domain="d")

    config = openstack_api._config(variables)

    assert config.config["auth"] == {
        "auth_url": "https://k/v3",
        "username": "t",
        "password": "p",
        "project_name": "tp",
        "user_domain_name": "d",
        "project_domain_name": "d",
    }
    assert (config.region_name, config.get_interface(), config.config["cacert"]) == ("west", "internal", "/ca.pem")
    assert config.config["identity_endpoint_override"] == "https://k"
    other = openstack_api._config({**variables, "OS_REGION_NAME": "east"})
    assert other.region_name == "east"


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (
            "ForbiddenException: 403: Client Error for url: http://x/servers, Policy doesn't allow "
            "os_compute_api:servers:create:forced_host to be performed.",
            "os_compute_api:servers:create:forced_host",
        ),
        (
            "403: Client Error, You are not authorized to perform the requested action: identity:create_project.",
            "identity:create_project",
        ),
        ("403, (rule:create_network and rule:create_network:shared) is disallowed by policy", "rule:create_network"),
    ],
)
def test_a_refusal_names_the_missing_right(text: str, rule: str) -> None:
    """As Nova, Keystone and Neutron say it."""
    assert f"do not allow {rule}" in openstack_api._missing_right(text)
    assert "check user" in openstack_api._missing_right("403 Forbidden")


def test_an_application_credential_logs_in() -> None:
    """It has no user name and no password: by id, or by name together with its user."""
    secret = {"OS_APPLICATION_CREDENTIAL_SECRET": "s"}

    assert _asked_of_keystone({**secret, "OS_APPLICATION_CREDENTIAL_ID": "i"}) == {
        "application_credential": {"id": "i", "secret": "s"}
    }
    named = _asked_of_keystone(
        {**secret, "OS_APPLICATION_CREDENTIAL_NAME": "n", "OS_USERNAME": "u", "OS_USER_DOMAIN_NAME": "d"}
    )
    assert named["application_credential"]["name"] == "n"
    assert named["application_credential"]["user"] == {"name": "u", "domain": {"name": "d"}}
