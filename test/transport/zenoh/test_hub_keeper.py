from __future__ import annotations

import socket
import time

import pytest
from transport_support import free_port, wait_until

from omnibind_ros.transport.zenoh import hub_keeper
from omnibind_ros.transport.zenoh.hub_keeper import HubKeeper
from omnibind_ros.transport.zenoh.node import Node
from omnibind_ros.transport.zenoh.session import Network, open_hub, open_peer


def test_exactly_one_holds_the_hub_and_another_takes_over(hub_port: int) -> None:
    first, second, third = Node("first"), Node("second"), Node("third")
    assert [first.holds_hub, second.holds_hub, third.holds_hub] == [True, False, False]
    first.close()
    wait_until(lambda: second.holds_hub or third.holds_hub, "one of the others to take over")
    assert second.holds_hub != third.holds_hub
    second.close()
    third.close()


def test_a_running_router_is_used(hub_port: int) -> None:
    router = open_hub(Network())
    with Node("node") as node:
        time.sleep(0.3)  # three looks of the keeper
        assert not node.holds_hub
        router.close()
        wait_until(lambda: node.holds_hub, "the node to open the hub after the router went")


def test_a_hub_elsewhere_is_not_opened_here() -> None:
    keeper = HubKeeper(Network(hub=f"tcp/192.0.2.1:{free_port()}"))
    assert not keeper.holds_hub
    keeper.close()


def test_a_port_taken_by_another_program_is_reported_once(
    hub_port: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(hub_keeper, "_PATIENCE_S", 0.2)
    with socket.socket() as other_program:
        other_program.bind(("127.0.0.1", hub_port))
        other_program.listen()
        network = Network()
        keeper, session = HubKeeper(network), open_peer(network)
        keeper.watch(session)
        wait_until(lambda: caplog.records, "a warning")
        time.sleep(0.5)
        keeper.close()
        session.close()
    assert [str(hub_port) in record.getMessage() for record in caplog.records] == [True]
