"""When to publish: at once on a change; on a new embedding, within a maximal rate; else at a minimal rate."""

from __future__ import annotations

from omnibind_ros.errors import ConfigError

_BURST = 8


class PublishSchedule:
    """Tells when the next recognition is due. Times are ns of any one clock, preferably a steady one.

    The maximal rate holds on average: up to eight embeddings in a row are answered at once, as long as the
    rate is kept over a longer time (generic cell rate algorithm, ITU-T I.371). Otherwise the newest answer
    would be up to a whole period late whenever several sensors publish at the same moment.

    Args:
        rate_hz: publish at least this often.
        max_rate_hz: publish at most this often because of new embeddings.

    Raises:
        ConfigError: a rate is not positive, or the minimal rate is above the maximal one.
    """

    def __init__(self, rate_hz: float, max_rate_hz: float) -> None:
        self.set_rates(rate_hz, max_rate_hz)
        self._published: int | None = None
        self._paid_until = 0
        self._news = False
        self._changed = False

    def set_rates(self, rate_hz: float, max_rate_hz: float) -> None:
        """Replace the rates.

        Raises:
            ConfigError: as above; the rates stay as they were.
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
        """A recognition was published."""
        jumped_back = self._published is not None and now < self._published
        self._paid_until = (now if jumped_back else max(now, self._paid_until)) + self._shortest
        self._published = now
        self._news = self._changed = False

    def due_at(self, now: int) -> int:
        """When to publish next if nothing more happens; `now` or earlier means at once."""
        if self._published is None or self._changed or now < self._published:
            return now
        if self._news:
            return self._paid_until - (_BURST - 1) * self._shortest
        return self._published + self._longest

    def is_due(self, now: int) -> bool:
        """Whether to publish now."""
        return self.due_at(now) <= now
