from __future__ import annotations

import socket
import time

import pytest
from transport_support import free_port, wait_until

from omnibind_ros.transport.zenoh import router_keeper
from omnibind_ros.transport.zenoh.node import Node
from omnibind_ros.transport.zenoh.router_keeper import RouterKeeper
from omnibind_ros.transport.zenoh.session import Network, open_peer, open_router


def test_exactly_one_holds_the_hub_and_another_takes_over(router_port: int) -> None:
    first, second, third = Node("first"), Node("second"), Node("third")
    assert [first.holds_router, second.holds_router, third.holds_router] == [True, False, False]
    first.close()
    wait_until(lambda: second.holds_router or third.holds_router, "one of the others to take over")
    assert second.holds_router != third.holds_router
    second.close()
    third.close()


def test_a_running_router_is_used(router_port: int) -> None:
    router = open_router(Network())
    with Node("node") as node:
        time.sleep(0.3)  # three looks of the keeper
        assert not node.holds_router
        router.close()
        wait_until(lambda: node.holds_router, "the node to open the hub after the router went")


def test_a_hub_elsewhere_is_not_opened_here() -> None:
    keeper = RouterKeeper(Network(router=f"tcp/192.0.2.1:{free_port()}"))
    assert not keeper.holds_router
    keeper.close()


def test_a_port_taken_by_another_program_is_reported_once(
    router_port: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(router_keeper, "_PATIENCE_S", 0.2)
    with socket.socket() as other_program:
        other_program.bind(("127.0.0.1", router_port))
        other_program.listen()
        network = Network()
        keeper, session = RouterKeeper(network), open_peer(network)
        keeper.watch(session)
        wait_until(lambda: caplog.records, "a warning")
        time.sleep(0.5)
        keeper.close()
        session.close()
    assert [str(router_port) in record.getMessage() for record in caplog.records] == [True]
