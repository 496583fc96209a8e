"""A test that finds no card says what is free, and what ended runs left."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from access.errors import NotVerified
from cloud_file.loading import load
from probes.openstack import held_cards
from provisioning.scenario.card_pool import CardPool
from provisioning.scenario.cards import Cards


def test_what_ended_runs_left_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    holders = [
        SimpleNamespace(name=f"gpuacc-lc-dead-server-{number}", host=f"compute-{number}", cards=2) for number in (0, 1)
    ]
    monkeypatch.setattr(held_cards, "read", lambda admin: holders)
    left = tuple(f"server {holder.name}" for holder in holders)
    cards = Cards(load("lab"), None, CardPool(tmp_path / "cards.json"), "token", left)

    with pytest.raises(NotVerified) as raised:
        cards.one()

    assert "these are free: {'compute-0': 0, 'compute-1': 0}" in str(raised.value)
    assert "Ended runs left server gpuacc-lc-dead-server-0, server gpuacc-lc-dead-server-1." in str(raised.value)


def test_without_leftovers_nothing_is_said_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(held_cards, "read", lambda admin: [SimpleNamespace(name="x", host="compute-0", cards=2)])
    cards = Cards(load("lab"), None, CardPool(tmp_path / "cards.json"), "token")

    with pytest.raises(NotVerified) as raised:
        cards.some(3)

    assert "Ended runs" not in str(raised.value)
