"""Large letters for a terminal, from a 5 x 7 dot font: digits, capital letters, and a blank for the rest."""

from __future__ import annotations

HEIGHT = 7
"""Lines of `letter`."""

_WIDTH = 5
# One character a row of five dots, top to bottom, as a base-32 digit: its highest bit is the leftmost dot.
# fmt: off
_GLYPHS = {
    "0": "ehjlphe", "1": "4c4444e", "2": "eh1248v", "3": "v2421he", "4": "26aiv22", "5": "vgu11he",
    "6": "68guhhe", "7": "v124888", "8": "ehhehhe", "9": "ehhf12c", "A": "ehhvhhh", "B": "uhhuhhu",
    "C": "ehggghe", "D": "sihhhis", "E": "vgguggv", "F": "vgguggg", "G": "ehgnhhf", "H": "hhhvhhh",
    "I": "e44444e", "J": "72222ic", "K": "hikokih", "L": "ggggggv", "M": "hrllhhh", "N": "hpljhhh",
    "O": "ehhhhhe", "P": "uhhuggg", "Q": "ehhhlid", "R": "uhhukih", "S": "fgge11u", "T": "v444444",
    "U": "hhhhhhe", "V": "hhhhha4", "W": "hhhllla", "X": "hha4ahh", "Y": "hhha444", "Z": "v1248gv",
    "-": "000v000",
}
# fmt: on


def letter(text: str) -> list[str]:
    """`text` in letters 7 lines high, a dot two columns wide, so that dots are about square."""
    return [row.replace("#", "██").replace(".", "  ") for row in _dots(text)]


def small_letter(text: str) -> list[str]:
    """`text` in letters 4 lines high, two dots above each other in one character."""
    rows = [*_dots(text), "." * (len(text) * (_WIDTH + 1) - 1)]
    halves = {"..": " ", "#.": "▀", ".#": "▄", "##": "█"}
    return [
        "".join(halves[upper + lower] for upper, lower in zip(rows[i], rows[i + 1], strict=True))
        for i in range(0, HEIGHT, 2)
    ]


def _dots(text: str) -> list[str]:
    glyphs = [_GLYPHS.get(character, "0" * HEIGHT) for character in text.upper()]
    return [".".join(_row(glyph[i]) for glyph in glyphs) for i in range(HEIGHT)]


def _row(digit: str) -> str:
    return f"{int(digit, 32):05b}".replace("1", "#").replace("0", ".")
