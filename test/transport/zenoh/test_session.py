from __future__ import annotations

import json
from pathlib import Path

import pytest

from omnibind_ros.errors import ConfigError, TransportError
from omnibind_ros.transport.zenoh.session import DEFAULT_ROUTER, Network, open_peer, open_router


def test_the_router_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMNIBIND_ROUTER", raising=False)
    assert Network().router == DEFAULT_ROUTER
    monkeypatch.setenv("OMNIBIND_ROUTER", "tcp/localhost:7000")
    assert Network().router == "tcp/127.0.0.1:7000"
    assert Network(router="tcp/10.0.0.7:7447").router == "tcp/10.0.0.7:7447"


@pytest.mark.parametrize(
    ("router", "here"),
    [
        ("tcp/127.0.0.1:7447", True),
        ("tls/localhost:7447", True),
        ("tcp/[::1]:7447", True),
        ("tcp/10.0.0.7:7447", False),
    ],
)
def test_only_a_loopback_router_is_here(router: str, here: bool) -> None:
    assert Network(router=router).router_is_here is here


def test_a_second_router_is_refused(router_port: int) -> None:
    with open_router(Network()), pytest.raises(TransportError, match="cannot open a Zenoh router session"):
        open_router(Network())


def test_what_the_configuration_file_sets_wins(router_port: int, tmp_path: Path) -> None:
    file = tmp_path / "zenoh.json5"
    file.write_text('{id: "c0ffee", mode: "client", connect: {endpoints: []}, /* json5 */}')
    with open_peer(Network(config=file)) as session, open_router(Network()):
        assert str(session.zid()) == "c0ffee"
        assert session.info.links() == []


@pytest.mark.parametrize("content", [None, "{mode: ", json.dumps({"no_such_setting": 1})])
def test_an_unusable_configuration_file_is_named(
    content: str | None, router_port: int, tmp_path: Path
) -> None:
    file = tmp_path / "zenoh.json5"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ConfigError, match=r"zenoh\.json5"):
        open_peer(Network(config=file))


@pytest.mark.parametrize("address", ["nonsense", "127.0.0.1:7447", "tcp/127.0.0.1:99999", ""])
def test_what_is_no_address_is_refused(address: str) -> None:
    for setting in ({"router": address}, {"connect": [address]}, {"listen": [address]}):
        with pytest.raises(ConfigError, match="is not a Zenoh endpoint"):
            Network(**setting)
