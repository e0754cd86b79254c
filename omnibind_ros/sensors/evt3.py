"""EVT3, the wire format of Prophesee event cameras, as carried by event_camera_msgs/EventPacket.

EVT3 is a stream of 16 bit words, 4 bits of code and 12 of content, that only says what changes: the high
and low 12 bits of the time in microseconds, the row y, then columns x one by one (ADDR_X) or as bit masks
of 12 or 8 columns from a base column on (VECT_12, VECT_8). So every event depends on words before it,
possibly of an earlier packet. Here each of these is found for all words of a packet at once, without a
loop: the k-th word of a kind holds until the k+1st, and `cumsum` counts which k that is. Format: "EVT 3.0",
Metavision documentation.

Time. The 24 bit sensor clock wraps every 16.8 s and starts anywhere, and the `time_base` of an evt3 packet
is undefined by convention (event_camera_msgs; Metavision drivers leave it 0), so it is not read. The clock
is unrolled over packets, as event_camera_codecs does. Unlike there, the times given out are ROS times: the
first event of the first packet happened at that packet's `header.stamp`, and from there on the sensor's
clock counts, which knows nothing of the jitter with which packets arrive. When the two clocks disagree by
more than 50 ms (a gap, a restart, a looping bag, slow drift), the packet's stamp sets the clock anew.
Within a packet therefore t = t of its first event + 1000 ns x (us since it). A driver that never sets its
stamps gets a clock from 0 on.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from omnibind_ros.core import BadMessage
from omnibind_ros.sensors.events import Events
from omnibind_ros.sensors.message_fields import read_bytes, read_count, read_field, read_text, stamp_of

_ADDR_Y, _ADDR_X, _VECT_BASE_X, _VECT_12, _VECT_8 = 0x0, 0x2, 0x3, 0x4, 0x5
_TIME_LOW, _CONTINUED_4, _TIME_HIGH, _EXT_TRIGGER, _OTHERS, _CONTINUED_12 = 0x6, 0x7, 0x8, 0xA, 0xE, 0xF

_KNOWN = np.zeros(16, np.bool_)
_KNOWN[[_ADDR_Y, _ADDR_X, _VECT_BASE_X, _VECT_12, _VECT_8, _TIME_LOW, _CONTINUED_4, _TIME_HIGH]] = True
_KNOWN[[_EXT_TRIGGER, _OTHERS, _CONTINUED_12]] = True  # triggers and monitoring words carry no pixels

_COLUMNS = np.zeros(16, np.int32)
_COLUMNS[[_VECT_12, _VECT_8]] = 12, 8
_COLUMN_BITS = np.zeros(16, np.uint16)  # which bits of a word say that a column fired
_COLUMN_BITS[[_VECT_12, _VECT_8]] = 0xFFF, 0xFF

_WRAP = 1 << 12
_MAX_DIP = 10  # sensors sometimes repeat a slightly older TIME_HIGH; more than this backwards is a wrap
_NOWHERE = 1 << 16  # a row or column outside every sensor: events before the first address are left out
_NEVER = -1
_MAX_CLOCK_ERROR = 50_000_000


class Evt3Decoder:
    """Decodes the packets of one camera, in order.

    Attributes:
        lost_packets: packets that never arrived, by the gaps in `seq`.
    """

    def __init__(self) -> None:
        self.lost_packets = 0
        self._sequence: int | None = None
        self._size = (0, 0)
        self._forget_stream()

    def _forget_stream(self) -> None:
        self._forget_address()
        self._time_high = _NEVER
        self._time_low = 0
        self._last_us = 0
        self._clock_offset: int | None = None

    def _forget_address(self) -> None:
        self._row = _NOWHERE
        self._column = _NOWHERE
        self._polarity = 0

    def decode(self, message: object, stamp: int | None = None) -> Events:
        """The events of one packet, in time order; those outside the sensor are left out.

        Args:
            stamp: ns since the epoch, to take instead of `header.stamp` when that cannot be trusted.

        Raises:
            BadMessage: no evt3, cut in the middle of a word, words that EVT3 does not have, no sensor size.
                The next packet is decoded as if it were the first.
        """
        try:
            words, stamp = self._open(message, stamp)
            return self._decode_words(words, stamp)
        except BadMessage:
            self._forget_stream()
            raise

    def _open(self, message: object, stamp: int | None) -> tuple[NDArray[np.uint16], int]:
        """Check the envelope; the packet's words and its stamp."""
        encoding = read_text(message, "encoding")
        if encoding != "evt3":
            raise BadMessage(
                f"event packet has encoding {encoding!r}; only 'evt3' is decoded: set it in the driver"
            )
        size = (read_count(message, "width"), read_count(message, "height"))
        if 0 in size:
            raise BadMessage(
                f"event packet says its sensor is {size[0]}x{size[1]}: set width and height in the driver"
            )
        if size != self._size:
            self._forget_stream()
            self._size = size
        self._count(read_count(message, "seq"))

        data = read_bytes(message, "events")
        if data.size % 2:
            raise BadMessage(
                f"event packet is cut in the middle of a word: {data.size} bytes of 16 bit words"
            )
        order = ">u2" if read_field(message, "is_bigendian") else "<u2"
        words = np.ndarray(data.size // 2, order, data).astype(np.uint16, copy=False)
        codes = words >> 12
        unknown = np.flatnonzero(~_KNOWN[codes])
        if unknown.size:
            raise BadMessage(
                f"event packet word {unknown[0]} of {words.size} has code {codes[unknown[0]]:#x}, which EVT3 "
                "does not have: is the byte order right, and the encoding really evt3?"
            )
        return words, stamp_of(message) if stamp is None else stamp

    def _count(self, sequence: int) -> None:
        if self._sequence is not None and sequence != self._sequence + 1:
            self.lost_packets += max(0, sequence - self._sequence - 1)
            self._forget_address()  # the row and column of the next events may have been in the gap
        self._sequence = sequence

    def _decode_words(self, words: NDArray[np.uint16], stamp: int) -> Events:
        codes, content = words >> 12, words & 0xFFF
        # ADDR_X is a vector of one column; every word then fires the set bits of its mask
        single = codes == _ADDR_X
        masks = np.where(single, np.uint16(1), content & _COLUMN_BITS[codes])
        firing = np.flatnonzero(masks)

        us = self._times(codes, content, firing)
        is_row = codes == _ADDR_Y
        rows, self._row = _hold(is_row, content[is_row] & 0x7FF, self._row, firing)
        columns, polarities = self._vectors(codes, content, firing)
        single, content = single[firing], content[firing]
        columns = np.where(single, content & 0x7FF, columns)
        polarities = np.where(single, content >> 11, polarities)

        bits = np.unpackbits(masks[firing].astype("<u2", copy=False).view(np.uint8), bitorder="little")
        fired = np.flatnonzero(bits.view(np.bool_))
        word = fired >> 4
        x = columns[word] + (fired & 15)
        known = (us != _NEVER) & (rows < self._size[1])
        inside = (x < self._size[0]) & known[word]
        if not inside.all():
            word, x = word[inside], x[inside]
        return Events(
            x.astype(np.uint16),
            rows[word].astype(np.uint16),
            self._ros_times(us[word], stamp),
            polarities[word].astype(np.bool_),
            *self._size,
        )

    def _times(self, codes: NDArray[Any], content: NDArray[Any], at: NDArray[np.intp]) -> NDArray[np.int64]:
        """int64 [len(at)]: the unrolled sensor time in us of the words `at`; `_NEVER` before the first."""
        is_high = codes == _TIME_HIGH
        highs = content[is_high].astype(np.int64)
        start = self._time_high
        if highs.size and start == _NEVER:
            start = int(highs[0]) + _WRAP  # a wrap ahead, so that a dip stays positive
        steps = np.diff(highs, prepend=start) % _WRAP
        steps[steps >= _WRAP - _MAX_DIP] -= _WRAP
        high, self._time_high = _hold(is_high, start + np.cumsum(steps), self._time_high, at)

        # a new high time starts at low time 0, until its low time follows
        sets_low = codes == _TIME_LOW
        sets_low[is_high] = steps != 0
        lows = np.where(is_high[sets_low], 0, content[sets_low])
        low, self._time_low = _hold(sets_low, lows, self._time_low, at)
        return np.where(high == _NEVER, _NEVER, (high << 12) | low)

    def _vectors(
        self, codes: NDArray[Any], content: NDArray[Any], at: NDArray[np.intp]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """int64 [len(at)] each: first column and polarity of the words `at`, were they vectors."""
        is_base = codes == _VECT_BASE_X
        advance = _COLUMNS[codes]
        passed = np.cumsum(advance, dtype=np.int32)
        # relative to the columns that all vectors before have passed, a base does not move
        base, end = _hold(is_base, (content[is_base] & 0x7FF) - passed[is_base], self._column, at)
        polarity, self._polarity = _hold(is_base, content[is_base] >> 11, self._polarity, at)
        if codes.size:
            self._column = min(end + int(passed[-1]), _NOWHERE)
        return base + passed[at] - advance[at], polarity

    def _ros_times(self, us: NDArray[np.int64], stamp: int) -> NDArray[np.int64]:
        """int64 [N] ns since the epoch of events at unrolled sensor times `us`."""
        if us.size == 0:
            return us
        first = int(us[0]) * 1000
        offset = stamp - first
        if self._clock_offset is None or (stamp != 0 and abs(offset - self._clock_offset) > _MAX_CLOCK_ERROR):
            self._clock_offset = offset
            self._last_us = int(us[0])
        us = np.maximum(np.maximum.accumulate(us), self._last_us)  # irons out the dips of TIME_HIGH
        self._last_us = int(us[-1])
        return us * 1000 + self._clock_offset


def _hold(
    said: NDArray[np.bool_], values: NDArray[np.generic], initial: int, at: NDArray[np.intp]
) -> tuple[NDArray[np.int64], int]:
    """Words `said` the next of `values`, each of which holds until the one after it; `initial` holds before.

    Returns:
        int64 [len(at)], what holds at the words `at`, and what holds after the last word.
    """
    series = np.concatenate([np.array([initial], np.int64), values])
    return series[np.cumsum(said, dtype=np.int32)[at]], int(series[-1])


def encode_evt3(events: Events) -> bytes:
    """Events in time order -> little-endian EVT3 words that decode on their own: for players and simulators.

    Times are cut to microseconds modulo 2^24 (16.8 s); a gap within `events` must be shorter than 16.7 s.
    Every event is an ADDR_X. The packet's `header.stamp` belongs to the first event.
    """
    us = events.t // 1000
    high, low = us >> 12, us & 0xFFF
    new_high = _changes(high)
    new_low = new_high | _changes(low)
    new_row = _changes(events.y)

    words = np.empty((len(events), 4), "<u2")
    words[:, 0] = _TIME_HIGH << 12 | high & 0xFFF
    words[:, 1] = _TIME_LOW << 12 | low
    words[:, 2] = _ADDR_Y << 12 | events.y & 0x7FF
    words[:, 3] = _ADDR_X << 12 | events.p.astype(np.uint16) << 11 | events.x & 0x7FF
    needed = np.column_stack([new_high, new_low, new_row, np.ones(len(events), np.bool_)])
    return words[needed].tobytes()


def _changes(values: NDArray[np.generic]) -> NDArray[np.bool_]:
    """bool [n]: differs from the one before; the first does."""
    changes = np.ones(values.size, np.bool_)
    np.not_equal(values[1:], values[:-1], out=changes[1:])
    return changes
