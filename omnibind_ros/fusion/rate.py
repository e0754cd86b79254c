"""When to publish a recognition: on news, but not too often; at once on a change; and never too rarely."""

from __future__ import annotations

from omnibind_ros.errors import ConfigError

_BURST = 8


class PublishSchedule:
    """Decides when a shell should take its next step. Times in ns of any one clock, steady for preference.

    "Not too often" is meant on average: sensors that speak at the same moment are answered at once, up to
    eight in a row, as long as the rate is kept over a longer time (the generic cell rate algorithm of ITU-T
    I.371). A planner would otherwise get the newest answer up to a whole period late.

    Args:
        rate_hz: publish at least this often.
        max_rate_hz: publish at most this often because of new embeddings.

    Raises:
        ConfigError: a rate is not positive, or the least is above the most.
    """

    def __init__(self, rate_hz: float = 5.0, max_rate_hz: float = 30.0) -> None:
        self.set_rates(rate_hz, max_rate_hz)
        self._published: int | None = None
        self._paid_until = 0
        self._news = False
        self._changed = False

    def set_rates(self, rate_hz: float, max_rate_hz: float) -> None:
        """Other rates from now on.

        Raises:
            ConfigError: as above; nothing has changed then.
        """
        if not 0 < rate_hz <= max_rate_hz:
            raise ConfigError(
                f"rate_hz {rate_hz} and max_rate_hz {max_rate_hz}: need 0 < rate_hz <= max_rate_hz"
            )
        self._longest = int(1e9 / rate_hz)
        self._shortest = int(1e9 / max_rate_hz)

    def news(self) -> None:
        """A new embedding arrived."""
        self._news = True

    def changed(self) -> None:
        """The live set changed."""
        self._changed = True

    def published(self, now: int) -> None:
        """A recognition went out."""
        jumped_back = self._published is not None and now < self._published
        self._paid_until = (now if jumped_back else max(now, self._paid_until)) + self._shortest
        self._published = now
        self._news = self._changed = False

    def due_at(self, now: int) -> int:
        """When to publish next, if nothing more happens; `now` or earlier means at once."""
        if self._published is None or self._changed or now < self._published:
            return now
        if self._news:
            return self._paid_until - (_BURST - 1) * self._shortest
        return self._published + self._longest

    def is_due(self, now: int) -> bool:
        """Whether to publish now."""
        return self.due_at(now) <= now
