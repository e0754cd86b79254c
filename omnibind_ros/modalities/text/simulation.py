"""Someone typing the number: in words or figures, alone or in a short sentence, in any case, with a slip at
times."""

from __future__ import annotations

import numpy as np

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_FRAMES = (
    "{n}", "{n}", "{n}", "number {n}", "the number {n}", "digit {n}", "the digit {n}", "it is {n}",
    "it is a {n}", "it's a {n}", "this is {n}", "this is a {n}", "that is a {n}", "I see a {n}",
    "I think it is {n}", "show me {n}", "a {n}", "a handwritten {n}", "please take number {n}",
    "go to {n}", "press {n}", "choose {n}", "pick {n}", "the answer is {n}", "{n} please",
    "station {n}", "bring me box {n}", "we need a {n}", "looks like a {n}",
)  # fmt: skip
_CASES = (str, str, str, str.lower, str.capitalize, str.upper)
_ENDINGS = ("", "", "", "", ".", "!")


def simulate_text(label: int, rng: np.random.Generator) -> str:
    """A short message that names the digit `label`."""
    name = WORDS[label] if rng.random() < 0.6 else str(label)
    if name.isalpha() and rng.random() < 0.05:
        name = _slip(name, rng)
    message = _FRAMES[rng.integers(len(_FRAMES))].format(n=name)
    if label == 8:
        message = message.replace(" a e", " an e").replace(" a 8", " an 8")
    return _CASES[rng.integers(len(_CASES))](message) + _ENDINGS[rng.integers(len(_ENDINGS))]


def _slip(word: str, rng: np.random.Generator) -> str:
    """`word` with one letter typed twice; no digit's name turns into another's."""
    at = int(rng.integers(len(word)))
    return word[: at + 1] + word[at:]
