"""EVT3, the wire format of Prophesee event cameras, as carried by event_camera_msgs/EventPacket.

EVT3 is a stream of 16 bit words, 4 bits of code and 12 of content, that transmits changes only: the high and
low 12 bits of the time in microseconds, the row y, then columns x one by one (ADDR_X) or as bit masks of 12
or 8 columns from a base column on (VECT_12, VECT_8). Every event therefore depends on words before it,
possibly of an earlier packet. Here each of these is found for all words of many packets at once, without a
loop: the k-th word of a kind holds until the k+1st, and `cumsum` counts which k that is. Format: "EVT 3.0",
Metavision documentation.

Time. The 24 bit sensor clock wraps every 16.8 s and starts anywhere, and the `time_base` of an evt3 packet
is undefined by convention (event_camera_msgs; Metavision drivers leave it 0), so it is not read. The clock
is unrolled over packets, as event_camera_codecs does. Unlike there, the decoded times are ROS times: the
first event of the first packet gets the packet's `header.stamp`, and from there on the sensor's clock counts,
which is free of the jitter with which packets arrive. When the two clocks disagree by more than 50 ms (a gap,
a restart, a looping bag, slow drift), the packet's stamp sets the clock anew. Within a packet therefore
t = t of its first event + 1000 ns x (us since it). Without stamps the clock begins at 0.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from omnibind_ros.errors import BadMessage
from omnibind_ros.messages.fields import stamp_of
from omnibind_ros.modalities.event.events import Events

_ADDR_Y, _ADDR_X, _VECT_BASE_X, _VECT_12, _VECT_8 = 0x0, 0x2, 0x3, 0x4, 0x5
_TIME_LOW, _CONTINUED_4, _TIME_HIGH, _EXT_TRIGGER, _OTHERS, _CONTINUED_12 = 0x6, 0x7, 0x8, 0xA, 0xE, 0xF

_CODES = frozenset(
    {_ADDR_Y, _ADDR_X, _VECT_BASE_X, _VECT_12, _VECT_8, _TIME_LOW, _CONTINUED_4, _TIME_HIGH}
    | {_EXT_TRIGGER, _OTHERS, _CONTINUED_12}  # triggers and monitoring words carry no pixels
)
_KNOWN_HIGH_BYTES = bytes(byte for byte in range(256) if byte >> 4 in _CODES)

_COLUMNS = np.zeros(16, np.int32)
_COLUMNS[[_VECT_12, _VECT_8]] = 12, 8
_COLUMN_BITS = np.zeros(16, np.uint16)  # the bits of a word that stand for columns
_COLUMN_BITS[[_VECT_12, _VECT_8]] = 0xFFF, 0xFF

_WRAP = 1 << 12
_MAX_DIP = 10  # sensors sometimes repeat a slightly older TIME_HIGH; more than this backwards is a wrap
_NOWHERE = 1 << 16  # a row or column outside every sensor: events before the first address are left out
_NEVER = -1  # a high time that makes every time negative
_MAX_CLOCK_ERROR = 50_000_000
_OVERHEAD = 256  # bytes of a packet besides its words


class _Packet(NamedTuple):
    """A checked packet: uint16 [n] words, possibly byte-swapped, and its stamp in ns."""

    words: NDArray[np.uint16]
    stamp: int


class Evt3Decoder:
    """Decodes the packets of one camera, in order.

    numpy costs by the call more than by the word, and drivers send up to a thousand small packets a second:
    `accept` only checks a packet, `flush` decodes all accepted packets together. `decode` does both.

    Attributes:
        waiting: bytes of memory that the packets accepted since the last flush take, roughly.
        time: ns up to which the decoded packets reach: the last event of the newest one, or its stamp if it
            has none.
    """

    def __init__(self) -> None:
        self.waiting = 0
        self.time = 0
        self._sequence = _NEVER
        self._size = (-1, -1)
        self._run: list[_Packet] = []
        self._decoded: list[Events] = []
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

    def missing_before(self, message: Any) -> int:
        """Packets between the last one accepted and this one that never arrived, by their numbers `seq`."""
        return 0 if self._sequence == _NEVER else max(0, message.seq - self._sequence - 1)

    def decode(self, message: Any, stamp: int | None = None) -> Events:
        """The events of one packet, in time order; those outside the sensor are left out.

        Args and raises as `accept`.
        """
        self.accept(message, stamp)
        return Events.concatenate(self.flush())

    def accept(self, message: Any, stamp: int | None = None) -> None:
        """Take an `event_camera_msgs/EventPacket`, to be decoded by the next `flush`.

        Args:
            stamp: ns since the epoch, to take instead of `header.stamp` when that cannot be trusted.

        Raises:
            BadMessage: no evt3, cut in the middle of a word, words that EVT3 does not have, no sensor size.
                The packets before it are not harmed, the next is decoded as if it were the first.
        """
        try:
            packet = self._open(message, stamp)
        except BadMessage:
            self._end_run()
            self._forget_stream()
            raise
        self._run.append(packet)
        self.waiting += packet.words.nbytes + _OVERHEAD

    def flush(self) -> list[Events]:
        """The events of all packets accepted since the last flush, in the order of the packets.

        Usually one burst. A new one begins where packets are missing or the sensor's size or clock changed;
        within a burst events are in time order and inside the sensor. Empty bursts occur.
        """
        self._end_run()
        decoded, self._decoded, self.waiting = self._decoded, [], 0
        return decoded

    def _end_run(self) -> None:
        """Decode the packets of the run, before the next packet changes how words are read."""
        if self._run:
            run, self._run = self._run, []
            self._decoded += self._decode_run(run)

    def _open(self, message: Any, stamp: int | None) -> _Packet:
        """Check the packet."""
        self._check_envelope(message)
        if message.seq != self._sequence + 1:  # the row and column of the next events may be missing
            self._end_run()
            self._forget_address()
        self._sequence = message.seq

        data = np.frombuffer(message.events, np.uint8)
        if data.size % 2:
            raise BadMessage(
                f"event packet is cut in the middle of a word: {data.size} bytes of 16 bit words"
            )
        high_bytes = data[not message.is_bigendian :: 2].tobytes()
        if high_bytes.translate(None, _KNOWN_HIGH_BYTES):  # deletes those; are any left?
            raise BadMessage(_unknown_code(high_bytes))
        words = data.view(">u2" if message.is_bigendian else "<u2")
        return _Packet(words, stamp_of(message) if stamp is None else stamp)

    def _check_envelope(self, message: Any) -> None:
        if message.encoding != "evt3":
            raise BadMessage(f"event packet has encoding {message.encoding!r}: the driver must send 'evt3'")
        size = (message.width, message.height)
        if size != self._size:
            if 0 in size:
                raise BadMessage(
                    f"event packet has a sensor of {size[0]}x{size[1]}: set width and height in the driver"
                )
            self._end_run()
            self._forget_stream()
            self._size = size

    def _decode_run(self, run: list[_Packet]) -> list[Events]:
        """The events of packets that follow each other without a gap."""
        words = np.concatenate([packet.words for packet in run]).astype(np.uint16, copy=False)
        codes, content = words >> 12, words & 0xFFF
        word, x, polarity = self._pixels(codes, content)
        is_row = codes == _ADDR_Y
        y, self._row = _hold(is_row, content[np.flatnonzero(is_row)] & 0x7FF, self._row, word)
        us = self._times(codes, content, word)
        inside = (x < self._size[0]) & (y < self._size[1]) & (us >= 0)
        if not inside.all():
            word, x, y, us, polarity = word[inside], x[inside], y[inside], us[inside], polarity[inside]

        starts = np.cumsum([0] + [packet.words.size for packet in run])
        edges = np.searchsorted(word, starts).tolist()
        times, cuts = self._ros_times(us, edges, [packet.stamp for packet in run])
        events = Events(
            x.astype(np.uint16, copy=False),
            y.astype(np.uint16),
            times,
            polarity.astype(np.bool_),
            *self._size,
        )
        return [events[a:b] for a, b in pairwise([0, *cuts, len(events)])]

    def _pixels(
        self, codes: NDArray[Any], content: NDArray[Any]
    ) -> tuple[NDArray[np.intp], NDArray[Any], NDArray[Any]]:
        """[N] each: the word that fired, column and polarity of every event."""
        single = codes == _ADDR_X
        if not ((codes >= _VECT_BASE_X) & (codes <= _VECT_8)).any():
            word = np.flatnonzero(single)
            fired = content[word]
            return word, fired & 0x7FF, fired >> 11

        # ADDR_X is then a vector of one column; every word fires the set bits of its mask
        masks = np.where(single, np.uint16(1), content & _COLUMN_BITS[codes])
        firing = np.flatnonzero(masks)
        columns, polarities = self._vectors(codes, content, firing)
        single, content = single[firing], content[firing]
        columns = np.where(single, content & 0x7FF, columns)
        polarities = np.where(single, content >> 11, polarities)

        bits = np.unpackbits(masks[firing].astype("<u2", copy=False).view(np.uint8), bitorder="little")
        fired = np.flatnonzero(bits.view(np.bool_))
        nth = fired >> 4
        return firing[nth], columns[nth] + (fired & 15), polarities[nth]

    def _vectors(
        self, codes: NDArray[Any], content: NDArray[Any], at: NDArray[np.intp]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """int64 [len(at)] each: first column and polarity of the words `at`, if they are vectors."""
        is_base = codes == _VECT_BASE_X
        advance = _COLUMNS[codes]
        passed = np.cumsum(advance, dtype=np.int32)
        # relative to the columns that all vectors before have passed, a base does not move
        base, end = _hold(is_base, (content[is_base] & 0x7FF) - passed[is_base], self._column, at)
        polarity, self._polarity = _hold(is_base, content[is_base] >> 11, self._polarity, at)
        self._column = min(end + int(passed[-1]), _NOWHERE)
        return base + passed[at] - advance[at], polarity

    def _times(self, codes: NDArray[Any], content: NDArray[Any], at: NDArray[np.intp]) -> NDArray[np.int64]:
        """int64 [len(at)]: the unrolled sensor time in us of the words `at`; negative before the first."""
        before = self._time_high << 12 | self._time_low
        high_words = np.flatnonzero(codes == _TIME_HIGH)
        highs = content[high_words].astype(np.int64)
        start = self._time_high
        if highs.size and start == _NEVER:
            start = int(highs[0]) + _WRAP - 1  # a wrap ahead, so that a dip stays positive
        steps = highs.copy()
        steps[:1] -= start
        steps[1:] -= highs[:-1]
        steps %= _WRAP
        steps[steps >= _WRAP - _MAX_DIP] -= _WRAP

        # A high time that repeats the last one changes nothing; a new one starts at low time 0, until its low
        # time follows.
        new = steps != 0
        changes = codes == _TIME_LOW
        changes[high_words[new]] = True
        words = np.flatnonzero(changes)
        is_high = codes[words] == _TIME_HIGH
        high, self._time_high = _hold(is_high, (start + np.cumsum(steps))[new], self._time_high)
        low = np.where(is_high, 0, content[words])
        times, now = _hold(changes, high << 12 | low, before, at)
        self._time_low = now & 0xFFF
        return times

    def _ros_times(
        self, us: NDArray[np.int64], edges: list[int], stamps: list[int]
    ) -> tuple[NDArray[np.int64], list[int]]:
        """Sensor times -> ROS times.

        Args:
            us: int64 [N] unrolled sensor times of the events, overwritten.
            edges: packet k holds the events edges[k] to edges[k + 1].
            stamps: of the packets.

        Returns:
            int64 [N] ns since the epoch, and the events at which the clock was set anew.
        """
        cuts = []
        begin = 0
        for first, end, stamp in zip(edges, edges[1:], stamps, strict=False):
            if first == end:
                continue
            offset = stamp - int(us[first]) * 1000
            known = self._clock_offset
            if known is None or (stamp != 0 and abs(offset - known) > _MAX_CLOCK_ERROR):
                self._tick(us[begin:first])
                if first > 0:
                    cuts.append(first)
                begin = first
                self._clock_offset, self._last_us = offset, int(us[first])
        self._tick(us[begin:])
        self.time = int(us[-1]) if edges[-1] > edges[-2] else stamps[-1]
        return us, cuts

    def _tick(self, us: NDArray[np.int64]) -> None:
        """Sensor times -> ROS times by the clock as it is set, in place."""
        if us.size:
            assert self._clock_offset is not None  # the first event of a stream sets it
            np.maximum(np.maximum.accumulate(us), self._last_us, out=us)  # irons out the dips of TIME_HIGH
            self._last_us = int(us[-1])
            us *= 1000
            us += self._clock_offset


def _unknown_code(high_bytes: bytes) -> str:
    position = next(i for i, byte in enumerate(high_bytes) if byte >> 4 not in _CODES)
    code = high_bytes[position] >> 4
    return (
        f"event packet word {position} of {len(high_bytes)} has code {code:#x}, which EVT3 does not have: "
        "is the byte order right, and the encoding really evt3?"
    )


def _hold(
    changes: NDArray[np.bool_],
    values: NDArray[np.generic],
    initial: int,
    at: NDArray[np.intp] | slice = slice(None),
) -> tuple[NDArray[np.int64], int]:
    """Each word of `changes` sets the next of `values`, which holds until the one after; `initial` before.

    Returns:
        int64 [len(at)], what holds at the words `at` (left out: at all), and what holds after the last word.
    """
    series = np.concatenate([np.array([initial], np.int64), values])
    return series[np.cumsum(changes, dtype=np.int32)[at]], int(series[-1])


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
