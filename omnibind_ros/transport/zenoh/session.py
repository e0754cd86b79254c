"""Opening Zenoh sessions: where the others are reached, and the settings of the two kinds of session.

Every process has one *peer* session: it listens on a free loopback port, connects to the router, learns of
the other peers there and connects to them directly. The *router* is a session in router mode at a fixed
address, kept open by `router_keeper`; a running `rmw_zenohd` serves as well.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import zenoh

from omnibind_ros.errors import ConfigError, TransportError

ROUTER_VARIABLE = "OMNIBIND_ROUTER"
_OLD_VARIABLE = "OMNIBIND_HUB"
DEFAULT_ROUTER = "tcp/127.0.0.1:7447"

_process_of_sessions: int | None = None


def _router_from_environment() -> str:
    return os.environ.get(ROUTER_VARIABLE) or os.environ.get(_OLD_VARIABLE) or DEFAULT_ROUTER


@dataclass(frozen=True)
class Network:
    """How a process reaches the others. Addresses are Zenoh endpoints, e.g. `tcp/192.168.1.7:7447`.

    router: that of this machine (default: environment OMNIBIND_ROUTER, else tcp/127.0.0.1:7447).
    connect: routers of other machines.
    listen: further addresses of this machine's router, to which other machines `connect`.
    config: a Zenoh json5 file (TLS, access control ...); what it sets wins over the settings made here.

    Raises:
        ConfigError: an address is not a Zenoh endpoint.
    """

    router: str = field(default_factory=_router_from_environment)
    connect: Sequence[str] = ()
    listen: Sequence[str] = ()
    config: Path | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "router", self.router.replace("/localhost:", "/127.0.0.1:"))
        for address in (self.router, *self.connect, *self.listen):
            _check_address(address)

    @property
    def router_is_here(self) -> bool:
        """Whether the router's address is this machine's own loopback, so that a process here may open it."""
        host = self.router.partition("/")[2]
        return host.startswith(("127.", "[::1]"))


def open_peer(network: Network) -> zenoh.Session:
    """The session of a node. It opens at once, whether or not anybody else is there.

    Raises:
        TransportError: an address cannot be used, or this is a forked child of a process with sessions.
        ConfigError: the Zenoh configuration file cannot be read.
    """
    return _open(
        network,
        {
            "mode": "peer",
            "listen/endpoints": ["tcp/127.0.0.1:0"],
            "connect/endpoints": [network.router, *network.connect],
            "connect/timeout_ms": -1,
            "connect/exit_on_failure": False,
            "connect/retry": {"period_init_ms": 100, "period_max_ms": 200, "period_increase_factor": 2},
            "scouting/delay": 10,
        },
    )


def open_router(network: Network) -> zenoh.Session:
    """The router's session. Of several processes that try to bind the address, exactly one succeeds.

    Raises:
        TransportError: another process has the address.
        ConfigError: the Zenoh configuration file cannot be read.
    """
    return _open(
        network,
        {
            "mode": "router",
            "listen/endpoints": [network.router, *network.listen],
            "listen/exit_on_failure": True,
            "listen/timeout_ms": 0,
            "connect/endpoints": [],
            "scouting/delay": 0,
        },
    )


def check_process() -> None:
    """Zenoh's threads do not survive a fork: refuse there, instead of hanging.

    Raises:
        TransportError: this process was forked from one that had opened a session.
    """
    if _process_of_sessions not in (None, os.getpid()):
        raise TransportError(
            "a Zenoh session was opened before this process was forked, and does not work here: "
            "start child processes with subprocess, or multiprocessing's 'spawn'"
        )


def _open(network: Network, settings: dict[str, Any]) -> zenoh.Session:
    global _process_of_sessions
    check_process()
    # Unless RUST_LOG asks for it: Zenoh logs to stdout, where commands print their results.
    zenoh.init_log_from_env_or("off")
    common = {
        "scouting/multicast/enabled": False,
        "scouting/gossip/enabled": True,
        "timestamping/enabled": True,
        "transport/link/tx/lease": 2000,
        "transport/unicast/open_timeout": 1000,
        "transport/shared_memory/enabled": False,  # its pool costs 20 MB a process
    }
    config = _configuration(network.config, {**common, **settings})
    _process_of_sessions = os.getpid()
    try:
        return zenoh.open(config)
    except zenoh.ZError as error:
        raise TransportError(f"cannot open a Zenoh {settings['mode']} session: {_reason(error)}") from error


def _configuration(file: Path | None, settings: dict[str, Any]) -> zenoh.Config:
    untouched = zenoh.Config()
    try:
        config: zenoh.Config = zenoh.Config.from_file(file) if file else zenoh.Config()
    except zenoh.ZError as error:
        raise ConfigError(f"Zenoh configuration {file}: {_reason(error)}") from error
    for key, value in settings.items():
        if key == "mode" or config.get_json(key) == untouched.get_json(key):
            try:
                config.insert_json5(key, json.dumps(value))
            except zenoh.ZError as error:
                raise ConfigError(f"Zenoh setting {key} = {json.dumps(value)}: {_reason(error)}") from error
    return config


def _check_address(address: str) -> None:
    match = re.fullmatch(r"[a-z][a-z0-9_-]*/\S*?(?::(\d+))?", address)
    if not match or int(match[1] or 0) > 65535:
        raise ConfigError(f"address {address!r} is not a Zenoh endpoint: write e.g. 'tcp/192.168.1.7:7447'")


def _reason(error: zenoh.ZError) -> str:
    """Zenoh's error on one line, without the places in its source code."""
    return re.sub(r" at /\S+\.rs:\d+\.?", "", " ".join(str(error).split()))
