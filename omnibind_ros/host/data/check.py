"""Checks of recordings against a recipe: how many there are of each class, and what is wrong with them.

Every recording is read once; the result is cached until its file or its rules change (`check_cache.py`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from omnibind_ros.errors import BadRecording
from omnibind_ros.host.data.check_cache import CheckCache, Content
from omnibind_ros.host.data.readers import read_source
from omnibind_ros.host.data.recipe import AnySource, Recipe
from omnibind_ros.host.data.recording import Recording
from omnibind_ros.host.data.splits import Split, split_of

Progress = Callable[[list[Recording], str], Iterable[Recording]]


@dataclass(frozen=True)
class Finding:
    """A problem or a note.

    Attributes:
        kind: `unreadable`, `missing`, `duplicate`, `contradiction`, `pair` and `empty` are problems; `gap`,
            `silent` and `repeated` are notes.
        text: one line.
        recordings: names of the recordings concerned.
    """

    kind: str
    text: str
    recordings: tuple[str, ...] = ()


@dataclass(frozen=True)
class CheckResult:
    """Counts and findings.

    Attributes:
        counts: readable recordings by modality, label (None = negatives) and split.
        sources, groups: number of recordings, and of different groups, of each source.
        pairs: moments that several modalities recorded.
        problems: to be fixed before training.
        notes: gaps in the data that training accepts.
    """

    counts: Mapping[str, Counter[tuple[str | None, Split]]]
    sources: Mapping[str, int]
    groups: Mapping[str, int]
    pairs: int
    problems: list[Finding]
    notes: list[Finding]

    def count(self, modality: str, label: str | None = None, split: Split | None = None) -> int:
        """Number of recordings of a modality and label (None = negatives), of one split or of all."""
        of = self.counts[modality].items()
        return sum(n for (of_label, of_split), n in of if of_label == label and split in (None, of_split))

    def to_json(self, recipe: Recipe) -> dict[str, Any]:
        """Plain data; see `omnibind data check --json`."""
        return {
            "recipe": recipe.name,
            "table": {
                modality: {label: self.count(modality, label) for label in recipe.labels}
                for modality in self.counts
            },
            "negatives": {modality: self.count(modality) for modality in self.counts},
            "splits": {
                modality: {
                    split: {label: self.count(modality, label, split) for label in recipe.labels}
                    for split in ("train", "dev", "test")
                }
                for modality in self.counts
            },
            "sources": {
                name: {"recordings": n, "groups": self.groups[name]} for name, n in self.sources.items()
            },
            "pairs": self.pairs,
            "problems": [vars(finding) for finding in self.problems],
            "notes": [vars(finding) for finding in self.notes],
        }


def check(
    recipe: Recipe, root: Path, cache: CheckCache, progress: Progress = lambda found, _: found
) -> CheckResult:
    """Read and check all recordings.

    Args:
        cache: results of earlier checks; it is updated.
        progress: wraps the recordings of a source to show how many have been read.

    Raises:
        BadRecording: `root` is not a folder.
        ConfigError: a source's rules do not fit its files.
    """
    problems: list[Finding] = []
    known: list[_Known] = []
    sources: dict[str, int] = {}
    groups: dict[str, int] = {}
    for source in recipe.sources:
        found, failed = _find(recipe, source, root)
        problems += failed
        sources[source.name], groups[source.name] = len(found), len({r.group for r in found if r.group})
        preprocessor, rule = recipe.preprocessor(source.modality), recipe.split_rule(source.name)
        rules = f"{source.model_dump_json()} {preprocessor.format}"
        for recording in progress(found, f"reading {source.name}"):
            content = cache.content(recording, preprocessor, rules)
            if content.problem:
                problems.append(Finding("unreadable", content.problem, (recording.name,)))
            else:
                known.append(_Known(recording, split_of(recording, rule), content))
    counts: dict[str, Counter[tuple[str | None, Split]]] = {s.modality: Counter() for s in recipe.sources}
    for one in known:
        counts[one.recording.modality][one.recording.label, one.split] += 1
    result = CheckResult(counts, sources, groups, _count_pairs(known), problems, [])
    checks = (_same_content(known), _split_pairs(known), _missing_classes(recipe, result), _silent(known))
    for finding in chain.from_iterable(checks):
        (result.notes if finding.kind in ("gap", "silent", "repeated") else problems).append(finding)
    return result


def _find(recipe: Recipe, source: AnySource, root: Path) -> tuple[list[Recording], list[Finding]]:
    """The recordings of a source, or a finding if there are none."""
    try:
        found = list(read_source(recipe, source, root))
    except BadRecording as error:
        if not root.is_dir():
            raise
        return [], [Finding("unreadable", f"source {source.name}: {error}")]
    if not found:
        return [], [Finding("missing", f"source {source.name}: no file matches {source.path} below {root}")]
    return found, []


@dataclass(frozen=True)
class _Known:
    recording: Recording
    split: Split
    content: Content

    def __str__(self) -> str:
        return f"{self.recording.name} ({self.split})"


def _same_content(known: list[_Known]) -> Iterator[Finding]:
    by_content: dict[tuple[str, str], list[_Known]] = defaultdict(list)
    for one in known:
        if not one.content.silent:
            by_content[one.recording.modality, one.content.digest].append(one)
    repeated = 0
    for same in by_content.values():
        if len(same) == 1:
            continue
        names = tuple(one.recording.name for one in same)
        labels = sorted({str(one.recording.label) for one in same})
        if len({one.split for one in same}) > 1:
            yield Finding("duplicate", f"the same content in several splits: {_listed(same)}", names)
        if len(labels) > 1:
            yield Finding(
                "contradiction", f"the same content with labels {', '.join(labels)}: {_listed(same)}", names
            )
        repeated += len(same) - 1
    if repeated:
        yield Finding("repeated", f"{repeated} recordings have the same content as another one")


def _split_pairs(known: list[_Known]) -> Iterator[Finding]:
    for pair, together in _by_pair(known).items():
        if len({one.split for one in together}) > 1:
            names = tuple(one.recording.name for one in together)
            yield Finding("pair", f"the moment {pair!r} in several splits: {_listed(together)}", names)


def _count_pairs(known: list[_Known]) -> int:
    return sum(len({one.recording.modality for one in of}) > 1 for of in _by_pair(known).values())


def _by_pair(known: list[_Known]) -> dict[str, list[_Known]]:
    by_pair: dict[str, list[_Known]] = defaultdict(list)
    for one in known:
        if one.recording.pair:
            by_pair[one.recording.pair].append(one)
    return by_pair


def _missing_classes(recipe: Recipe, result: CheckResult) -> Iterator[Finding]:
    for label in recipe.labels:
        if not any(result.count(modality, label) for modality in result.counts):
            yield Finding("empty", f"class {label!r} has no recordings in any modality")
    for modality in result.counts:
        absent = [label for label in recipe.labels if not result.count(modality, label)]
        not_in_train = [
            label
            for label in recipe.labels
            if label not in absent and not result.count(modality, label, "train")
        ]
        if absent:
            yield Finding("gap", f"{modality} has no recordings of {', '.join(absent)}")
        if not_in_train:
            yield Finding(
                "gap", f"{modality} has no recordings in the train split of {', '.join(not_in_train)}"
            )


def _silent(known: list[_Known]) -> Iterator[Finding]:
    by_source: dict[str, list[str]] = defaultdict(list)
    for one in known:
        if one.content.silent:
            by_source[one.recording.source].append(one.recording.name)
    for source, names in by_source.items():
        text = f"source {source}: no signal in {len(names)} recordings, which are not trained on: {names[0]}"
        yield Finding("silent", text + (", ..." if len(names) > 1 else ""), tuple(names))


def _listed(some: list[_Known]) -> str:
    return ", ".join(map(str, some[:4])) + (f" and {len(some) - 4} more" if len(some) > 4 else "")
