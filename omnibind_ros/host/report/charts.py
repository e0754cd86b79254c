"""Charts as SVG elements without scripts; their colours come from the page's style sheet (light and dark).

Every function returns a complete `<svg>` element that scales with its column. (Matplotlib writes fixed
colours; Plotly and Vega need scripts.)
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

Cell = tuple[float | None, str, str]
"""Shade 0 to 1 (None: no data), text in the cell, and text of its tooltip."""

Series = Sequence[tuple[float, float]]
"""Points (x, y)."""


_LETTER = 5.6
"""Width of a letter of small text, in pixels."""


def heat_map(
    rows: Sequence[str],
    columns: Sequence[str],
    cells: Sequence[Sequence[Cell]],
    *,
    side: float = 40,
    height: float = 20,
    left: float = 96,
    tone: str = "bad",
) -> str:
    """Rows and columns of shaded cells; long names of columns are slanted.

    Args:
        side, height: of a cell.
        left: width of the names of the rows.
        tone: `bad` if dark cells are bad, else `good`.
    """
    longest = _LETTER * max(map(len, columns), default=0)
    slanted = longest > side
    reach = longest * math.sqrt(0.5) if slanted else 0.0
    top = 16.0 + reach
    parts = []
    for c, name in enumerate(columns):
        x = left + (c + 0.5) * side
        if slanted:
            where = f"translate({x:.1f},{top - 5:.1f}) rotate(-45)"
            parts.append(f'<text class="small" transform="{where}">{escape(name)}</text>')
        else:
            parts.append(_text(x, top - 5, name, anchor="middle", small=True))
    for r, (name, line) in enumerate(zip(rows, cells, strict=True)):
        y = top + r * height
        parts.append(_text(left - 6, y + height / 2 + 4, name, anchor="end", small=True))
        parts.extend(_cell(left + c * side, y, side, height, cell, tone) for c, cell in enumerate(line))
    overhang = max(0.0, reach - side / 2)
    return _svg(left + len(columns) * side + overhang + 4, top + len(rows) * height + 4, parts)


def _dots(rows: Sequence[Sequence[bool]], columns: Sequence[str], *, side: float, height: float) -> list[str]:
    """Membership of rows in columns as dots; parts of `subset_map`."""
    parts = []
    for c, name in enumerate(columns):
        x = (c + 0.5) * side
        parts.append(
            f'<text class="small" transform="translate({x + 4:.1f},66) rotate(-60)">{escape(name)}</text>'
        )
        parts.extend(
            f'<circle class="{"on" if row[c] else "off"}" cx="{x:.1f}" cy="{74 + (r + 0.5) * height:.1f}" '
            f'r="{4 if row[c] else 2}"/>'
            for r, row in enumerate(rows)
        )
    return parts


def subset_map(
    members: Sequence[Sequence[bool]],
    modalities: Sequence[str],
    columns: Sequence[str],
    cells: Sequence[Sequence[Cell]],
) -> str:
    """A row per subset: dots for its members, then shaded cells."""
    side, height, wide = 20.0, 17.0, 62.0
    parts = _dots(members, modalities, side=side, height=height)
    left = len(modalities) * side + 14
    for c, name in enumerate(columns):
        parts.append(
            f'<text class="small" transform="translate({left + (c + 0.4) * wide:.1f},66) rotate(-32)">'
            f"{escape(name)}</text>"
        )
    before = 0
    for r, (own, line) in enumerate(zip(members, cells, strict=True)):
        y = 74 + r * height
        if sum(own) != before and r:
            right = left + len(columns) * wide
            parts.append(f'<line class="grid" x1="0" x2="{right:.0f}" y1="{y:.1f}" y2="{y:.1f}"/>')
        before = sum(own)
        parts.extend(_cell(left + c * wide, y, wide, height, cell, "bad") for c, cell in enumerate(line))
    return _svg(left + len(columns) * wide + 56, 74 + len(members) * height + 4, parts)


def lines(
    series: Mapping[str, Series],
    *,
    x_label: str,
    y_label: str,
    y_most: float,
    x_most: float = 1.0,
    percent: bool = False,
    level: float | None = None,
) -> str:
    """Lines in a frame, with colours in their order.

    Args:
        y_most, x_most: upper ends of the axes, which begin at 0.
        percent: write y as a percentage.
        level: draw a dashed line at this y.
    """
    width, height, left, top, bottom = 300.0, 190.0, 48.0, 10.0, 34.0
    inner_w, inner_h = width - left - 10, height - top - bottom

    def at(x: float, y: float) -> tuple[float, float]:
        return left + inner_w * x / x_most, top + inner_h * (1 - min(y / y_most, 1.02))

    parts = _frame(left, top, inner_w, inner_h, x_most, y_most, percent)
    if level is not None:
        _, y = at(0, level)
        parts.append(f'<line class="dashed" x1="{left}" x2="{left + inner_w}" y1="{y:.1f}" y2="{y:.1f}"/>')
    for number, (name, points) in enumerate(series.items()):
        places = [at(x, y) for x, y in points]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(f'<g class="c{number % 10}"><title>{escape(name)}</title><polyline points="{path}"/>')
        parts.extend(f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="2.5"/>' for x, y in places)
        parts.append("</g>")
    parts.append(_text(left + inner_w / 2, height - 4, x_label, anchor="middle", small=True))
    parts.append(
        f'<text class="small" text-anchor="middle" transform="translate(10,{top + inner_h / 2:.0f}) '
        f'rotate(-90)">{escape(y_label)}</text>'
    )
    return _svg(width, height, parts)


def reliability(bins: Sequence[tuple[float, float, int]]) -> str:
    """Reliability diagram: accuracy over confidence; the area of a bin's disc is proportional to its size."""
    width, left, top, bottom = 290.0, 52.0, 16.0, 34.0
    inner = width - left - 22
    parts = _frame(left, top, inner, inner, 1.0, 1.0, percent=True, x_percent=True)
    parts.append(
        f'<line class="dashed" x1="{left}" y1="{top + inner}" x2="{left + inner}" y2="{top}"/><g class="c0">'
    )
    most = max((n for *_, n in bins), default=1)
    for confidence, accuracy, n in bins:
        parts.append(
            f'<circle class="disc" cx="{left + inner * confidence:.1f}" '
            f'cy="{top + inner * (1 - accuracy):.1f}" r="{2.5 + 9 * (n / most) ** 0.5:.1f}">'
            f"<title>confidence {confidence:.1%}, accuracy {accuracy:.1%} of {n}</title></circle>"
        )
    parts.append("</g>")
    parts.append(_text(left + inner / 2, top + inner + 30, "confidence", anchor="middle", small=True))
    parts.append(
        f'<text class="small" text-anchor="middle" transform="translate(10,{top + inner / 2:.0f}) '
        'rotate(-90)">accuracy</text>'
    )
    return _svg(width, inner + top + bottom, parts)


def scatter(points: Sequence[tuple[float, float, int, int, str]]) -> str:
    """Points (x, y, colour, shape, tooltip) on a plane without axes."""
    width, height, margin = 640.0, 420.0, 14.0
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    x_span, y_span = max(xs) - min(xs) or 1.0, max(ys) - min(ys) or 1.0
    parts = []
    for x, y, colour, shape, tooltip in points:
        px = margin + (width - 2 * margin) * (x - min(xs)) / x_span
        py = margin + (height - 2 * margin) * (y - min(ys)) / y_span
        parts.append(
            f'<g class="c{colour % 10} mark" transform="translate({px:.1f},{py:.1f})">'
            f"<title>{escape(tooltip)}</title>{mark(shape)}</g>"
        )
    return _svg(width, height, parts)


def mark(shape: int) -> str:
    """One of seven shapes around the origin."""
    return (
        '<circle r="3.6"/>',
        '<rect x="-3.3" y="-3.3" width="6.6" height="6.6"/>',
        '<path d="M0,-4.6L4.2,3.2H-4.2Z"/>',
        '<path d="M0,4.6L4.2,-3.2H-4.2Z"/>',
        '<path d="M0,-4.8L4.8,0L0,4.8L-4.8,0Z"/>',
        '<path d="M-1.4,-4.5h2.8v3.1h3.1v2.8h-3.1v3.1h-2.8v-3.1h-3.1v-2.8h3.1Z"/>',
        '<circle r="3" class="ring"/>',
    )[shape % 7]


def legend_mark(colour: int | None, shape: int = 1) -> str:
    """A mark for a legend beside the chart."""
    name = "plain" if colour is None else f"c{colour % 10}"
    return (
        f'<svg class="key" width="12" height="12" viewBox="-6 -6 12 12"><g class="{name} mark">'
        f"{mark(shape)}</g></svg>"
    )


def bars(shares: Mapping[str, tuple[float, str]], *, strong: str, most: float) -> str:
    """Horizontal bars: name -> (length, text at its end).

    Args:
        strong: name of the highlighted bar.
        most: longer bars are cut off at this length and drawn pale.
    """
    height, left, width = 22.0, 164.0, 460.0
    parts = []
    for r, (name, (value, text)) in enumerate(shares.items()):
        y, length = r * height, (width - left - 60) * min(value / most, 1.0) if most else 0.0
        kind = ("c0" if name == strong else "rest") + (" cut" if value > most else "")
        parts.append(_text(left - 8, y + 15, name, anchor="end"))
        parts.append(
            f'<rect class="{kind} bar" x="{left}" y="{y + 4}" width="{max(length, 1):.1f}" height="14"/>'
        )
        parts.append(_text(left + length + 6, y + 15, text))
    return _svg(width, len(shares) * height + 4, parts)


def _frame(
    left: float,
    top: float,
    width: float,
    height: float,
    x_most: float,
    y_most: float,
    percent: bool,
    x_percent: bool = False,
) -> list[str]:
    parts = []
    for step in range(5):
        share = step / 4
        y, x = top + height * (1 - share), left + width * share
        parts.append(f'<line class="grid" x1="{left}" x2="{left + width}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(_text(left - 4, y + 3.5, _tick(y_most * share, percent), anchor="end", small=True))
        parts.append(
            _text(x, top + height + 13, _tick(x_most * share, x_percent), anchor="middle", small=True)
        )
    return parts


def round_up(value: float) -> float:
    """The next larger number whose quarters are short decimals."""
    if value <= 0:
        return 1.0
    power: float = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1.2, 1.6, 2, 2.4, 3.2, 4, 6, 8, 10) if step * power >= value)


def _tick(value: float, percent: bool) -> str:
    return f"{100 * value:.3g}%" if percent else f"{value:.3g}"


def _text(x: float, y: float, text: str, *, anchor: str = "start", small: bool = False) -> str:
    kind = ' class="small"' if small else ""
    return f'<text{kind} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _svg(width: float, height: float, parts: Sequence[str]) -> str:
    return (
        f'<svg class="chart" viewBox="0 0 {width:.0f} {height:.0f}" style="max-width:{width:.0f}px" '
        f'role="img">{"".join(parts)}</svg>'
    )


def _cell(x: float, y: float, width: float, height: float, cell: Cell, tone: str) -> str:
    shade, text, tooltip = cell
    size = f'x="{x + 0.5:.1f}" y="{y + 0.5:.1f}" width="{width - 1:.1f}" height="{height - 1:.1f}"'
    shaded = "" if shade is None else f'<rect class="{tone}" {size} fill-opacity="{_clamped(shade):.3f}"/>'
    written = _text(x + width / 2, y + height / 2 + 4, text, anchor="middle", small=True)
    return f'<g><title>{escape(tooltip)}</title><rect class="cell" {size}/>{shaded}{written}</g>'


def _clamped(shade: float) -> float:
    return min(max(shade, 0.0), 1.0)
