"""The former place of `omnibind_ros.transport.zenoh`; its `node` and `qos` stay importable from here."""
