"""Spoken number words from a small formant synthesiser.

Source and filter, after Klatt (1980): glottal pulses and breath noise pass a cascade of formant
resonators, hiss and bursts pass a band of their own. A word is a row of phones, each with formant
targets, loudness and length; the targets are those of Peterson and Barney (1952) for vowels and Klatt's
for consonants. The tracks glide from target to target. The filter changes all the time, so it is applied
to short overlapping spectra (16 ms every 4 ms) instead of sample by sample. A voice is random: pitch and
melody, vocal tract length, accent, pace, breath, tilt, hoarseness; so are the microphone, its distance
and the room.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from omnibind_ros.types import Floats

SAMPLE_RATE = 8000
_HOP, _WINDOW, _FFT = 32, 128, 256
_FREQUENCY = np.fft.rfftfreq(_FFT, 1 / SAMPLE_RATE)
_Z = np.exp(-2j * np.pi * _FREQUENCY / SAMPLE_RATE).astype(np.complex64)
_HANN = np.hanning(_WINDOW + 1)[:-1] / 2  # adds up to 1 at this hop


@dataclass(frozen=True)
class Phone:
    """Targets of one speech sound: formants Hz, length ms, amplitudes of voice, breath and hiss, middle and
    width of the hiss's band Hz, and how much wider losses (nose, constrictions) make the formants."""

    formants: tuple[int, int, int]
    ms: float
    voice: float = 0.0
    breath: float = 0.0
    hiss: float = 0.0
    band: tuple[float, float] = (3000.0, 1500.0)
    wide: float = 1.0
    glide: float = 0.3  # share of the length, at either end, in which the formants move


PHONES = {
    "IY": Phone((290, 2250, 2950), 150, voice=0.9),
    "IH": Phone((390, 1990, 2550), 85, voice=1.0),
    "EH": Phone((530, 1840, 2480), 95, voice=1.0),
    "AH": Phone((640, 1190, 2390), 110, voice=1.0),
    "AX": Phone((480, 1450, 2450), 55, voice=0.6),
    "AO": Phone((560, 850, 2410), 120, voice=1.0),
    "UW": Phone((320, 1100, 2240), 140, voice=0.9),
    "IU": Phone((330, 1700, 2300), 70, voice=0.8, glide=0.45),
    "A_": Phone((730, 1200, 2440), 95, voice=1.0, glide=0.35),
    "_I": Phone((380, 2050, 2600), 75, voice=0.8, glide=0.45),
    "E_": Phone((490, 1950, 2550), 80, voice=1.0, glide=0.35),
    "_Y": Phone((340, 2200, 2750), 80, voice=0.8, glide=0.45),
    "O_": Phone((510, 950, 2400), 90, voice=1.0, glide=0.4),
    "_W": Phone((370, 800, 2300), 90, voice=0.6, glide=0.4),
    "W": Phone((300, 620, 2200), 65, voice=0.5, glide=0.4),
    "R": Phone((340, 1200, 1600), 75, voice=0.6, glide=0.4),
    "RF": Phone((430, 1250, 1600), 80, voice=0.6, glide=0.4),
    "N": Phone((270, 1450, 2450), 100, voice=0.38, wide=3.0, glide=0.12),
    "V": Phone((280, 1100, 2300), 50, voice=0.35, hiss=0.035, band=(3400, 2200), wide=2.0),
    "Z": Phone((260, 1500, 2550), 85, voice=0.25, hiss=0.09, band=(3900, 950), wide=2.0),
    "S": Phone((320, 1500, 2550), 95, hiss=0.19, band=(3850, 1000)),
    "F": Phone((340, 1100, 2100), 80, hiss=0.04, band=(3200, 2200)),
    "TH": Phone((320, 1300, 2540), 65, hiss=0.025, band=(3600, 1800)),
    "K0": Phone((300, 1900, 2500), 55),
    "K": Phone((330, 1990, 2500), 26, breath=0.08, hiss=0.22, band=(2000, 500)),
    "T0": Phone((320, 1800, 2600), 55),
    "T": Phone((330, 1800, 2600), 22, breath=0.05, hiss=0.26, band=(3800, 1200)),
    "H": Phone((350, 1500, 2500), 35, breath=0.2, hiss=0.03, glide=0.5),
}

WORDS: dict[int, tuple[str, ...]] = {
    0: ("Z IH R O_ _W", "Z IY R O_ _W"),
    1: ("W AH N",),
    2: ("T H UW", "T H IU UW", "T H IU UW", "T IU UW"),
    3: ("TH R IY",),
    4: ("F AO RF", "F AO RF", "F AO AX"),
    5: ("F A_ _I V",),
    6: ("S IH K0 K S", "S IH K0 S"),
    7: ("S EH V AX N", "S EH V N"),
    8: ("E_ _Y T0 T", "E_ _Y T0 T H", "E_ _Y T0"),
    9: ("N A_ _I N",),
}


def simulate_audio(label: int, rng: np.random.Generator) -> Floats:
    """The word for `label` in a new voice: float32 [n] in [-1,1] at 8 kHz, about 0.25 to 0.8 s, trimmed."""
    ways = WORDS[label]
    phones = [PHONES[name] for name in ways[rng.integers(len(ways))].split()]
    tracks = _tracks(phones, rng)
    samples = tracks.frames * _HOP + _WINDOW
    voice = _filtered(_glottis(samples, rng) * rng.uniform(0.9, 1.1), tracks.voice[:, None] * tracks.throat)
    breathiness = 10 ** rng.uniform(-2.2, -0.8)
    noise = rng.standard_normal(samples)
    breath = tracks.breath + breathiness * tracks.voice
    rustle = _filtered(noise, breath[:, None] * tracks.throat + tracks.hiss)
    return _recorded(voice + rustle, rng)


@dataclass(frozen=True)
class _Tracks:
    """What changes along a word, one row every 4 ms."""

    voice: Floats
    breath: Floats
    hiss: Floats
    """spectrum of the hiss [T,F]"""
    throat: npt.NDArray[np.complex64]
    """frequency response of the vocal tract [T,F]"""

    @property
    def frames(self) -> int:
        return len(self.voice)


def _tracks(phones: list[Phone], rng: np.random.Generator) -> _Tracks:
    pace = 1.25 * np.exp(rng.normal(0, 0.2))
    drawl = np.ones(len(phones))
    drawl[-2:] = rng.uniform(0.9, 1.4)
    drawl *= np.exp(rng.normal(0, 0.18, len(phones)))
    lengths = np.array([phone.ms for phone in phones]) * pace * drawl
    ends = np.cumsum(lengths)
    starts = ends - lengths
    clock = np.arange(0, ends[-1], _HOP / SAMPLE_RATE * 1000)

    def track(values: npt.NDArray[np.float64], edge: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        knots = np.stack([starts + edge, ends - edge], axis=1).ravel()
        return np.interp(clock, knots, np.repeat(values, 2))

    glide = np.array([phone.glide for phone in phones]) * lengths
    edge = np.minimum(rng.uniform(5, 10), 0.3 * lengths)
    formants = np.array([phone.formants for phone in phones]) * np.exp(rng.normal(0, 0.055, (len(phones), 3)))
    formants *= np.exp(rng.normal(0, (0.06, 0.05, 0.04))) / rng.uniform(0.84, 1.16)
    wide = track(np.array([phone.wide for phone in phones]), edge)
    fade = np.minimum(1, np.minimum(clock + 3, ends[-1] - clock) / rng.uniform(10, 90)) ** 0.7
    fade *= np.exp(-rng.uniform(0, 1.2) * clock / ends[-1])
    voice = track(np.array([phone.voice for phone in phones]), edge) * fade
    breath = track(np.array([phone.breath for phone in phones]), edge)
    hiss = track(np.array([phone.hiss for phone in phones]), edge) * 0.35 * np.exp(rng.normal(0, 0.8))
    middle = track(np.array([phone.band[0] for phone in phones]), edge) * rng.uniform(0.92, 1.08)
    width = track(np.array([phone.band[1] for phone in phones]), edge) * rng.uniform(0.8, 1.25)
    band = np.exp(-0.5 * ((_FREQUENCY - middle[:, None]) / width[:, None]) ** 2)
    throat = _throat(np.stack([track(f, glide) for f in formants.T], axis=1), wide, rng)
    return _Tracks(
        voice.astype(np.float32), breath.astype(np.float32), (hiss[:, None] * band).astype(np.float32), throat
    )


def _throat(
    formants: npt.NDArray[np.float64], wide: npt.NDArray[np.float64], rng: np.random.Generator
) -> npt.NDArray[np.complex64]:
    """Cascade of resonators (Klatt 1980), formants [T,3] Hz -> [T,F]; each passes frequency 0 unchanged."""
    loss = rng.uniform(1.0, 2.2)
    response = np.ones((len(formants), len(_FREQUENCY)), np.complex64)
    upper = np.full(len(formants), max(3350.0, float(formants[:, 2].max()) + 350) * rng.uniform(0.97, 1.05))
    centres = np.stack([*formants.T, upper])
    bandwidths = np.stack([70 * wide, 95 * np.sqrt(wide), 140 * np.sqrt(wide), np.full(len(wide), 250.0)])
    for centre, bandwidth in zip(centres, bandwidths, strict=True):
        radius = np.exp(-np.pi * loss * bandwidth / SAMPLE_RATE)
        a1 = 2 * radius * np.cos(2 * np.pi * np.minimum(centre, 3950) / SAMPLE_RATE)
        a2 = -(radius**2)
        pole = 1 - a1.astype(np.float32)[:, None] * _Z - a2.astype(np.float32)[:, None] * _Z**2
        response *= (1 - a1 - a2).astype(np.float32)[:, None] / pole
    return response


def _glottis(samples: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """One pulse a pitch period, uneven as in a real throat, with the melody of a word said alone."""
    u = np.linspace(0, 1, samples)
    start, bend, fall = np.exp(rng.normal(0, 0.06)), rng.normal(0.05, 0.08), rng.uniform(-0.05, 0.45)
    pitch = np.exp(rng.uniform(np.log(85), np.log(260)))
    melody = pitch * start * (1 + bend * np.sin(np.pi * u) - fall * u**2)
    phase = np.cumsum(melody) / SAMPLE_RATE
    count = int(phase[-1])
    jitter = rng.normal(0, rng.uniform(0.003, 0.02), count)
    at = np.interp(np.arange(count) + jitter, phase, np.arange(samples))
    strength = (1 + rng.normal(0, rng.uniform(0.02, 0.12), count)) * np.sqrt(SAMPLE_RATE / pitch)
    whole = np.minimum(at.astype(np.intp), samples - 2)
    pulses = np.zeros(samples)
    np.add.at(pulses, whole, strength * (1 - (at - whole)))
    np.add.at(pulses, whole + 1, strength * (at - whole))
    return np.fft.irfft(np.fft.rfft(pulses) * _tilt(samples, rng), samples)


def _tilt(samples: int, rng: np.random.Generator) -> npt.NDArray[np.complex128]:
    """Glottal pulse shape and radiation at the lips: falls about 6 dB an octave."""
    frequency = np.fft.rfftfreq(samples, 1 / SAMPLE_RATE)
    soft = 1 / (1 + 1j * frequency / np.exp(rng.uniform(np.log(200), np.log(1200))))
    return np.asarray(soft * (frequency / (frequency + 20)))


def _filtered(
    source: npt.NDArray[np.float64], response: npt.NDArray[np.complexfloating]
) -> npt.NDArray[np.float64]:
    """`source` through a filter that changes every hop: overlapping short spectra, added up."""
    windows = np.lib.stride_tricks.sliding_window_view(source, _WINDOW)[::_HOP][: len(response)]
    pieces = np.fft.irfft(np.fft.rfft(windows * _HANN, _FFT) * response, _FFT)
    parts = _FFT // _HOP
    out = np.zeros((len(pieces) + parts, _HOP))
    for part in range(parts):
        out[part : part + len(pieces)] += pieces[:, part * _HOP : (part + 1) * _HOP]
    return out.ravel()[: len(source)]


def _recorded(sound: npt.NDArray[np.float64], rng: np.random.Generator) -> Floats:
    """What a microphone makes of it: its own colour, the room, noise, and a level."""
    n = len(sound) + 256
    frequency = np.fft.rfftfreq(n, 1 / SAMPLE_RATE)
    octave = np.log2((frequency + 60) / 1000)
    colour = rng.normal(0, 2.5) * octave + 2.5 * np.sin(octave * rng.uniform(0.8, 2.0) + rng.uniform(0, 6.3))
    low_cut = frequency / (frequency + rng.uniform(5, 80))
    room = np.zeros(n)
    echoes = int(rng.uniform(80, 255))
    decay = np.exp(-4 * np.linspace(0, 1, echoes))
    room[:echoes] = rng.uniform(0, 0.02) * rng.standard_normal(echoes) * decay
    room[0] = 1
    spectrum = np.fft.rfft(sound, n) * np.fft.rfft(room) * low_cut * 10 ** (colour / 20)
    heard = np.fft.irfft(spectrum, n)[: len(sound)]
    heard /= max(float(np.abs(heard).max()), 1e-9)
    loud = np.flatnonzero(np.abs(heard) > 0.012)
    heard = heard[max(0, loud[0] - int(rng.integers(0, 200))) : loud[-1] + int(rng.integers(40, 1200))]
    heard = heard + rng.standard_normal(len(heard)) * 10 ** rng.uniform(-4, -1.9)
    level = np.exp(rng.uniform(np.log(0.03), np.log(0.85)))
    return np.asarray(np.clip(heard * level, -1, 1), np.float32)
