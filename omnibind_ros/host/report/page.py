"""The report of a run: one HTML file without scripts or network access, for light and dark screens.

It shows the scores that `omnibind evaluate --json` writes and the tables of `omnibind ablate`; either may be
missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from omnibind_ros.host.evaluation.comparison import ADAPTIVE
from omnibind_ros.host.report import charts
from omnibind_ros.host.training.ablation_table import FULL

Json = Mapping[str, Any]

_CONDITIONS = {
    "clean": "all sensors healthy",
    "corrupted": "one sensor corrupted",
    "stuck": "one sensor stuck, of three or more",
}
_COMPARED = (ADAPTIVE, "mean of probabilities", "mean of embeddings")


def report_page(name: str, scores: Json | None, ablations: Sequence[Json] = ()) -> str:
    """The HTML text of the page.

    Args:
        name: of the run or bundle.
        scores: result of `Evaluation.to_json`; None if there is none.
        ablations: results of `ablation_table.tables`.
    """
    sections = [] if scores is None else [section(scores) for section in _EVALUATED]
    sections += [_ablation(ablation) for ablation in ablations]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(name)}: evaluation</title><style>{_STYLE}</style></head><body><main>"
        f"<h1>{escape(name)}</h1>{''.join(sections)}</main></body></html>\n"
    )


def _section(title: str, text: str, *content: str) -> str:
    return f"<section><h2>{escape(title)}</h2><p>{text}</p>{''.join(content)}</section>"


def _wide(chart: str) -> str:
    return f'<div class="wide">{chart}</div>'


def _grid(figures: Iterable[tuple[str, str]]) -> str:
    inner = "".join(f"<figure><figcaption>{escape(n)}</figcaption>{chart}</figure>" for n, chart in figures)
    return f'<div class="grid">{inner}</div>'


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; cells are HTML."""
    top = "".join(f"<th>{escape(h)}</th>" for h in head)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'


def _percent(share: float, digits: int = 2) -> str:
    return f"{100 * share:.{digits}f}"


def _error(accuracy: float, digits: int = 2) -> str:
    return _percent(1 - accuracy, digits)


def _headline(scores: Json) -> str:
    tiles = []
    for condition, words in _CONDITIONS.items():
        found = scores.get("conditions", {}).get(condition)
        if found:
            static = found["best_static"]
            rival = f"{static}: {_error(found['accuracy'][static])} %"
            tiles.append((_error(found["accuracy"][ADAPTIVE]) + " %", f"error, {words}", rival))
    ece = scores.get("calibration", {}).get("clean", {}).get("ece")
    if ece is not None:
        bad = scores["calibration"].get("corrupted", {}).get("ece")
        more = "" if bad is None else f"{_percent(bad)} % with one corrupted"
        tiles.append((_percent(ece) + " %", "expected calibration error", more))
    inner = "".join(
        f'<div class="tile"><b>{escape(figure)}</b><span>{escape(what)}</span>'
        f"<small>{escape(more)}</small></div>"
        for figure, what, more in tiles
    )
    return f'<div class="tiles">{inner}</div>'


def _rules(scores: Json) -> str:
    conditions = scores.get("conditions", {})
    figures = []
    for condition, words in _CONDITIONS.items():
        if condition not in conditions:
            continue
        errors = {rule: 1 - a for rule, a in conditions[condition]["accuracy"].items()}
        # A rule with very many errors must not make the bars of the others too short to compare.
        ranked = sorted(errors.values())
        most = min(max(ranked), 6 * ranked[len(ranked) // 2]) or max(ranked)
        shares = {
            rule: (error, f"{100 * error:.2f} %")
            for rule, error in sorted(errors.items(), key=lambda item: item[1])
        }
        title = f"{words}, {conditions[condition]['n']:,} sets"
        figures.append((title, charts.bars(shares, strong=ADAPTIVE, most=most)))
    sizes = _table(
        [
            "modalities",
            "subsets",
            "adaptive fusion",
            "best other",
            "difference, points",
            "95 % interval",
        ],
        (
            [
                str(s["modalities"]),
                str(s["subsets"]),
                _percent(s["accuracy"][ADAPTIVE]),
                f"{_percent(s['accuracy'][s['best_rival']])} <small>{escape(s['best_rival'])}</small>",
                f"{100 * s['gap']:+.2f}",
                f"{100 * s['gap_95'][0]:+.2f} to {100 * s['gap_95'][1]:+.2f}",
            ]
            for s in scores.get("sizes", ())
        ),
    )
    return _section(
        "Fusion rules on the same embeddings",
        "Error over all subsets of two or more modalities; pale bars are cut off. Below: accuracy in % on "
        "clean sets by size, and adaptive fusion minus the best other rule of that size (interval by a "
        "paired bootstrap over recordings).",
        _grid(figures),
        sizes,
    )


def _subsets(scores: Json) -> str:
    modalities = list(scores["modalities"])
    rows = sorted(
        scores["subsets"],
        key=lambda s: (len(s["modalities"]), [modalities.index(m) for m in s["modalities"]]),
    )
    members = [[m in row["modalities"] for m in modalities] for row in rows]
    columns = ["clean", "corrupted", "stuck", "mean, corrupted"]
    lines = []
    for row in rows:
        line = []
        for condition, rule in (
            ("clean", ADAPTIVE),
            ("corrupted", ADAPTIVE),
            ("stuck", ADAPTIVE),
            ("corrupted", "mean of probabilities"),
        ):
            accuracy = row.get(condition, {}).get("accuracy", {}).get(rule)
            names = " + ".join(row["modalities"])
            if accuracy is None:
                line.append((None, "", f"{names}: no sets"))
            else:
                error = 1 - accuracy
                tooltip = f"{names}, {condition}, {rule}: error {100 * error:.2f} %"
                line.append((min(1.0, error / 0.15) ** 0.6, f"{100 * error:.1f}", tooltip))
        lines.append(line)
    # Two columns: subsets of up to half of the modalities, and larger ones.
    few = sum(2 * sum(own) <= len(modalities) for own in members)
    maps = [
        charts.subset_map(members[part], modalities, columns, lines[part])
        for part in (slice(few), slice(few, None))
        if members[part]
    ]
    return _section(
        "Every subset",
        "Error in % of every subset of modalities. Corrupted: one sensor of the set, any kind and strength. "
        f"Mean: the mean of probabilities, a rule without training. {_kind_of_sets(rows)}",
        _wide(f'<div class="pair">{"".join(maps)}</div>'),
    )


def _kind_of_sets(subsets: Sequence[Json]) -> str:
    several = [s for s in subsets if len(s["modalities"]) > 1]
    pairs = sum(bool(s.get("pairs")) for s in several)
    if not pairs:
        return "A set has one recording per sensor, combined by class: there are no true pairs."
    if pairs == len(several):
        return "A set is one moment that all of its sensors recorded (true pairs)."
    return f"Sets of {pairs} of {len(several)} subsets are true pairs; the others are combined by class."


def _by_strength(kinds: Sequence[Json], rule: str) -> list[tuple[float, float]]:
    """Error of a rule by strength; every set has the same weight."""
    total: dict[float, list[float]] = {}
    for kind in kinds:
        for step in kind["by_strength"]:
            entry = total.setdefault(step["strength"], [0.0, 0.0])
            entry[0] += step["n"] * (1 - step["accuracy"][rule])
            entry[1] += step["n"]
    return [(strength, wrong / n) for strength, (wrong, n) in sorted(total.items()) if n]


def _kinds_by_modality(scores: Json) -> dict[str, list[Json]]:
    found: dict[str, list[Json]] = {}
    for kind in scores.get("kinds", ()):
        if kind["by_strength"]:
            found.setdefault(kind["modality"], []).append(kind)
    return found


def _strength(scores: Json) -> str:
    found = _kinds_by_modality(scores)
    if not found:
        return ""
    curves = {
        modality: {rule: _by_strength(kinds, rule) for rule in _COMPARED if rule in kinds[0]["accuracy"]}
        for modality, kinds in found.items()
    }
    most = max(y for series in curves.values() for points in series.values() for _, y in points) * 1.05
    figures = [
        (
            f"{modality} corrupted",
            charts.lines(
                series, x_label="strength", y_label="error", y_most=charts.round_up(most), percent=True
            ),
        )
        for modality, series in curves.items()
    ]
    key = "".join(f"<span>{charts.legend_mark(n)} {escape(rule)}</span>" for n, rule in enumerate(_COMPARED))
    return _section(
        "Error by strength of corruption",
        "Error on sets of two or more sensors, one of them corrupted, over the strength of the corruption; "
        "mean over all kinds.",
        f'<div class="legend">{key}</div>',
        _grid(figures),
    )


def _weights(scores: Json) -> str:
    found = _kinds_by_modality(scores)
    if not found:
        return ""
    figures = []
    for modality, kinds in found.items():
        series = {k["kind"]: [(s["strength"], s["share"]) for s in k["by_strength"]] for k in kinds}
        chart = charts.lines(series, x_label="strength", y_label="weight", y_most=1.6, level=1.0)
        key = "".join(
            f"<span>{charts.legend_mark(n, 0)} {escape(name.replace('_', ' '))}</span>"
            for n, name in enumerate(series)
        )
        figures.append((modality, f'{chart}<div class="legend">{key}</div>'))
    return _section(
        "Weight of a corrupted sensor",
        "Weight of the corrupted sensor over the strength of its corruption; 1 is an equal share.",
        _grid(figures),
    )


def _alone(scores: Json) -> str:
    rows = []
    for modality, score in scores["modalities"].items():
        rows.append([f"<b>{escape(modality)}</b>", _percent(score["accuracy"]), str(score["n"])])
        sources = scores.get("sources", {}).get(modality, {})
        if len(sources) > 1:
            rows.extend(
                [f"&ensp;{escape(name.replace('_', ' '))}", _percent(s["accuracy"]), str(s["n"])]
                for name, s in sources.items()
            )
        if modality in scores.get("negatives", {}):
            negative = scores["negatives"][modality]
            rows.append(
                [
                    "&ensp;none of the classes, answered unknown",
                    _percent(negative["accuracy"]),
                    str(negative["n"]),
                ]
            )
    return _section(
        "Each modality alone",
        "Accuracy on single recordings.",
        _table(["recordings", "accuracy %", "of"], rows),
    )


def _map(scores: Json) -> str:
    points = scores.get("map", ())
    if not points:
        return ""
    labels = list(dict.fromkeys(scores["confusion"]["labels"]))
    modalities = list(dict.fromkeys(p["modality"] for p in points))
    drawn = [
        (
            p["x"],
            p["y"],
            labels.index(p["label"]),
            modalities.index(p["modality"]),
            f"{p['modality']}: {p['label']}",
        )
        for p in points
    ]
    key = "".join(f"<span>{charts.legend_mark(n)} {escape(label)}</span>" for n, label in enumerate(labels))
    shapes = "".join(
        f"<span>{charts.legend_mark(None, n)} {escape(name)}</span>" for n, name in enumerate(modalities)
    )
    return _section(
        "The space",
        "Recordings of all modalities in the shared space, by t-SNE: recordings of one class should lie "
        "together, whatever their modality.",
        f'<div class="legend">{key}</div><div class="legend">{shapes}</div>',
        charts.scatter(drawn),
    )


def _reliability(scores: Json) -> str:
    found = scores.get("calibration", {})
    if not found:
        return ""
    figures = [
        (
            f"{_CONDITIONS.get(condition, condition)}: {_percent(table['ece'])} %",
            charts.reliability([(c, a, n) for c, a, n in table["bins"]]),
        )
        for condition, table in found.items()
    ]
    return _section(
        "Calibration",
        "Accuracy of adaptive fusion over its confidence; the number is the expected calibration error, the "
        "area of a disc is the size of its bin.",
        _grid(figures),
    )


def _confusion(scores: Json) -> str:
    tables = dict(scores.get("confusion", {}))
    labels = tables.pop("labels", [])
    figures = []
    for name, counts in tables.items():
        cells = []
        for truth, row in zip(labels, counts, strict=False):
            total = sum(row)
            cells.append(
                [
                    (
                        (n / total) ** 0.5 if n else 0.0,
                        str(n) if n else "",
                        f"{truth} answered as {label}: {n} of {total}",
                    )
                    for label, n in zip(labels, row, strict=True)
                ]
            )
        if cells:
            side = max(17.0, min(30.0, 280 / len(labels)))
            left = 14 + 6.2 * max(len(label) for label in labels)
            chart = charts.heat_map(
                labels, labels, cells, side=side, height=side * 0.72, left=left, tone="good"
            )
            figures.append((name, chart))
    return _section("Confusion matrices", "Rows are the true classes, columns the answers.", _grid(figures))


def _retrieval(scores: Json) -> str:
    rows = scores.get("retrieval", ())
    if not rows:
        return ""
    names = list(dict.fromkeys(r["from"] for r in rows))
    by_pair = {(r["from"], r["to"]): r for r in rows}
    cells = []
    for a in names:
        line: list[charts.Cell] = []
        for b in names:
            found = by_pair.get((a, b))
            if found is None:
                line.append((None, "", f"{a} to {b}"))
            else:
                tooltip = f"{a} to {b}: R@1 {found['r1']:.1%}, R@5 {found['r5']:.1%} of {found['n']}"
                text = f"{100 * found['r1']:.0f} / {100 * found['r5']:.0f}"
                line.append((max(0.0, (found["r1"] - 0.5) * 1.6), text, tooltip))
        cells.append(line)
    return _section(
        "Retrieval between modalities",
        "R@1 / R@5 in %: how often the nearest recording of the other modality, or one of the five nearest, "
        "is of the same class. Rows are queries, columns are searched.",
        _wide(charts.heat_map(names, names, cells, side=84, height=28, tone="good")),
    )


_EVALUATED = (
    _headline, _rules, _subsets, _strength, _weights, _alone, _map, _reliability, _confusion, _retrieval,
)  # fmt: skip
"""The sections of an evaluation, in their order."""


def _ablation(ablation: Json) -> str:
    cells = {(c["variant"], c["modality"]): c for c in ablation["cells"]}
    students, modalities = (list(dict.fromkeys(key[n] for key in cells)) for n in (0, 1))
    mean, gain = ablation["mean_over_modalities"], ablation["gain_over_no_teacher"]
    seeds = {len(c["accuracies"]) for c in cells.values()}

    def shown(student: str, modality: str) -> str:
        cell = cells.get((student, modality))
        if cell is None:
            return ""
        fewer = "" if len(seeds) == 1 else f" ({len(cell['accuracies'])})"
        return f"{_percent(cell['mean'])} <small>± {_percent(cell['std'])}{fewer}</small>"

    rows = [
        [
            f"<b>{escape(student)}</b>" if student == FULL else escape(student),
            *(shown(student, modality) for modality in modalities),
            _percent(mean[student]) if student in mean else "",
            f"{100 * gain[student]:+.2f}" if student in gain else "",
        ]
        for student in students
    ]
    drawn = f"{seeds.pop()} seeds" if len(seeds) == 1 else "over seeds (their number)"
    return _section(
        f"Ablation: {ablation['per_class']} labelled recordings per class",
        f"Accuracy in % on the dev split, mean ± standard deviation, {drawn}; {ablation['samples']:,} samples"
        " were drawn in each training. Gain: points over the student without a teacher, averaged.",
        _table(["student", *modalities, "mean", "gain"], rows),
    )


_STYLE = """
:root { color-scheme: light dark; --page: #fbfaf8; --ink: #1d2126; --soft: #697079; --line: #dcd9d3;
  --card: #ffffff; --bad: #d6452b; --good: #2b7bba;
  --c0: #2368b5; --c1: #e07b1f; --c2: #7d8790; --c3: #2f9e5b; --c4: #c23b5a; --c5: #8759c2; --c6: #1aa3a8;
  --c7: #9a6a3a; --c8: #d268b8; --c9: #a3a51c; }
@media (prefers-color-scheme: dark) { :root { --page: #14171b; --ink: #e6e4df; --soft: #9aa2ab;
  --line: #333a42;
  --card: #1c2127; --bad: #f0654a; --good: #4d9fdf;
  --c0: #5fa8f5; --c1: #f59a45; --c2: #98a2ac; --c3: #54c785; --c4: #ee6a88; --c5: #ae86ec; --c6: #45c9ce;
  --c7: #c4925f; --c8: #ee8fd6; --c9: #cdd04a; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1000px; margin: 0 auto; padding: 28px 18px 60px; }
h1 { font-size: 26px; margin: 0 0 14px; } h2 { font-size: 18px; margin: 40px 0 2px; }
p { color: var(--soft); margin: 0 0 14px; max-width: 70ch; }
small { color: var(--soft); font-size: 12px; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(200px, 1fr)); gap: 12px; }
.tile { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 12px 14px; }
.tile b { font-size: 26px; display: block; font-variant-numeric: tabular-nums; }
  .tile span { display: block; }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(290px, 100%), 1fr)); gap: 14px; }
figure { margin: 0; background: var(--card); border: 1px solid var(--line); border-radius: 8px;
  padding: 10px; }
figcaption { font-weight: 600; font-size: 14px; margin-bottom: 4px; }
.wide { overflow-x: auto; margin-bottom: 14px; }
table { border-collapse: collapse; margin-top: 14px; font-variant-numeric: tabular-nums; font-size: 14px; }
th { text-align: left; font-weight: 600; color: var(--soft); }
th, td { padding: 4px 14px 4px 0; border-bottom: 1px solid var(--line); white-space: nowrap; }
.legend { display: flex; flex-wrap: wrap; gap: 2px 14px; font-size: 13px; color: var(--soft);
  margin: 4px 0 8px; }
.key { vertical-align: -1px; }
.chart { width: 100%; height: auto; display: block; } .chart text { fill: var(--ink); font-size: 13px; }
.wide .chart { min-width: 420px; }
.chart .small { font-size: 10.5px; fill: var(--ink); } .chart .cell { fill: var(--line);
  fill-opacity: .35; }
.bad { fill: var(--bad); } .good { fill: var(--good); } .on { fill: var(--ink); }
  .off { fill: var(--line); }
.grid line, line.grid { stroke: var(--line); } line.dashed { stroke: var(--soft); stroke-dasharray: 4 3; }
polyline { fill: none; stroke-width: 2; stroke-linejoin: round; } .pair {
  display: grid; grid-template-columns: repeat(auto-fit, minmax(min(420px, 100%), 1fr)); gap: 24px; }
.cut { opacity: .3 !important; } .rest.bar { fill: var(--soft);
  opacity: .55; }
.mark { opacity: .82; } .ring { fill: none; stroke: currentColor; stroke-width: 1.6; }
  .disc { opacity: .75; }
.plain { fill: var(--ink); color: var(--ink); }
""" + "".join(
    f".c{n} {{ fill: var(--c{n}); color: var(--c{n}); }} .c{n} polyline {{ stroke: var(--c{n}); }}\n"
    for n in range(10)
)
