"""Answers of OpenStack's APIs: what could not be asked is told apart from what the cloud refused."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from keystoneauth1 import loading, session
from keystoneauth1.adapter import Adapter
from openstack import exceptions as sdk

from access import openstack_api
from access.errors import AcceptanceError, AuthenticationError, ConnectError, ProvisioningError
from access.openstack_api import connect, translated, without_time_limit

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
