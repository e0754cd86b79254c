"""The report is one self-contained file, made from the scores of an evaluation."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import numpy as np
from made_pools import CENTRES, K, by_evidence, pools

from omnibind_ros.host.evaluation import comparison, comparison_tables
from omnibind_ros.host.evaluation.rules import static_rules
from omnibind_ros.host.evaluation.space_map import retrieval, space_map
from omnibind_ros.host.report import charts
from omnibind_ros.host.report.page import report_page
from omnibind_ros.host.training.ablation_table import FULL, NO_TEACHER, Cell, summary

LABELS = tuple("<abc>"[n % 5] + str(n) for n in range(K))


def some_scores() -> dict:
    made, rules = pools(), static_rules(CENTRES)
    outcomes = comparison.compare(made, made, by_evidence, rules, clean_per_class=4, bad_per_class=3, seed=0)
    return {
        "modalities": {m: {"accuracy": 0.9, "n": 120} for m in made},
        "sources": {"image": {"one": {"accuracy": 0.8, "n": 60}, "two": {"accuracy": 1.0, "n": 60}}},
        "negatives": {"image": {"accuracy": 1.0, "n": 3}},
        "subsets": comparison_tables.subset_table(outcomes),
        "conditions": comparison_tables.condition_table(outcomes, tuple(rules)),
        "sizes": comparison_tables.size_table(outcomes, 0, replicates=5),
        "kinds": comparison_tables.kind_table(outcomes),
        "calibration": {"clean": {"ece": 0.01, "bins": [[0.6, 0.5, 4], [0.99, 1.0, 90]]}},
        "confusion": {"labels": list(LABELS), "image": np.eye(K, dtype=int).tolist()},
        "retrieval": retrieval(made),
        "map": space_map(made, LABELS, per_modality=15),
    }


class Balanced(HTMLParser):
    """Raises when a tag is closed that is not open."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag, attrs):
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_has_no_scripts_and_no_links():
    page = report_page("a run & more", some_scores(), [ablation()])
    parser = Balanced()
    parser.feed(page)
    assert not parser.open
    assert not re.search(r"(src|href)=|<script|@import|url\(", page)
    assert "a run &amp; more" in page
    assert "&lt;0" in page and "<abc>" not in page
    assert "90.00 <small>± 2.00</small>" in page
    assert "nan" not in page.lower().replace("fi-nan-", "")


def test_names_of_columns_never_run_into_each_other():
    cells = [[(0.5, "1", "told")] * 2] * 2
    level, slanted = (charts.heat_map(n, n, cells, side=30) for n in (["0", "1"], ["sit_to_stand", "walk"]))
    assert "rotate" not in level and slanted.count("rotate(-45)") == 2


def test_the_page_states_whether_sets_are_true_pairs():
    scores = some_scores()
    assert "combined by class: there are no true pairs" in report_page("run", scores)
    for row in scores["subsets"]:
        row["pairs"] = True
    assert "one moment that all of its sensors recorded" in report_page("run", scores)
    scores["subsets"][-1]["pairs"] = False
    assert "Sets of 3 of 4 subsets are true pairs" in report_page("run", scores)


def ablation(**more: tuple[float, ...]) -> dict:
    accuracies = {FULL: (0.88, 0.9, 0.92), NO_TEACHER: (0.8, 0.8, 0.8), **more}
    cells = [Cell("touch", variant, own) for variant, own in accuracies.items()]
    return {"per_class": 10, "samples": 15_000, **summary(cells)}


TITLE = "Ablation: "


def rows(page: str) -> list[list[str]]:
    """Of the last table, without tags."""
    body = page[page.rindex("<tbody>") : page.rindex("</tbody>")]
    return [
        re.sub(r"<.*?>", "", row.replace("</td>", "|")).split("|")[:-1] for row in body.split("</tr>")[:-1]
    ]


def test_an_ablation_is_a_table_of_students_and_modalities():
    page = report_page("run", None, [ablation()])
    assert page.count(TITLE) == 1 and "10 labelled" in page and "3 seeds" in page and "15,000 samples" in page
    assert rows(page) == [
        [FULL, "90.00 ± 2.00", "90.00", "+10.00"],
        [NO_TEACHER, "80.00 ± 0.00", "80.00", ""],
    ]


def test_the_number_of_seeds_is_shown_where_it_differs():
    page = report_page("run", None, [ablation(**{"words only": (0.7,)})])
    assert rows(page)[2] == ["words only", "70.00 ± 0.00 (1)", "70.00", "-10.00"]
    assert rows(page)[0][1] == "90.00 ± 2.00 (3)"


def test_without_an_ablation_there_is_no_empty_table():
    assert TITLE not in report_page("run", some_scores())
