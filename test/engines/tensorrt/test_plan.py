"""The cache of plans: a key for everything that matters, whole files only, one builder at a time."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from pathlib import Path

import pytest

from omnibind_ros.engines.tensorrt import plan as plan_module
from omnibind_ros.engines.tensorrt.plan import (
    PlanCache,
    PlanKey,
    PlanMissing,
    PlanOptions,
    cache_folder,
)
from omnibind_ros.errors import BackendError

KEY = PlanKey("audio.fp16", "ab" * 32, "Orin", "8.7", "10.3.0", PlanOptions("fp16"))
OTHERS = {
    "model": replace(KEY, onnx_sha256="cd" * 32),
    "GPU": replace(KEY, gpu="Thor"),
    "capability": replace(KEY, compute_capability="8.6"),
    "version": replace(KEY, tensorrt="10.13.3"),
    "precision": replace(KEY, options=PlanOptions("fp32")),
    "workspace": replace(KEY, options=PlanOptions("fp16", workspace_mb=64)),
    "DLA": replace(KEY, options=PlanOptions("fp16", dla_core=0)),
    "recipe": replace(KEY, recipe=KEY.recipe + 1),
}


@pytest.fixture
def cache(tmp_path):
    return PlanCache(tmp_path / "plans")


def stored(cache: PlanCache, plan: bytes = b"a plan" * 1000) -> Path:
    with cache.building():
        return cache.store(KEY, plan)


def test_what_was_stored_is_loaded(cache):
    path = stored(cache, b"\n{}\0 any bytes")
    assert bytes(cache.load(KEY)) == b"\n{}\0 any bytes"
    assert path.name.startswith("audio.fp16-")


@pytest.mark.parametrize("what", OTHERS)
def test_a_plan_for_anything_else_is_another(cache, what):
    path = stored(cache)
    with pytest.raises(PlanMissing, match="yet; run `omnibind build` to build it"):
        cache.load(OTHERS[what])
    # Not even under the other's name, where somebody may have copied it.
    path.rename(cache.path(OTHERS[what]))
    with pytest.raises(PlanMissing, match="built for another model, GPU, version or setting"):
        cache.load(OTHERS[what])


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:-1],
        lambda content: content[:40],
        lambda content: content[:-7] + b"?" + content[-6:],
        lambda content: content.replace(b'"key"', b'"kex"'),
        lambda content: content.replace(b"{", b"[", 1),
        lambda content: os.urandom(len(content)),
    ],
)
def test_a_damaged_plan_is_missing_not_loaded(cache, damage):
    path = stored(cache)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(PlanMissing, match=r"audio.fp16-.*plan cannot be used: it") as caught:
        cache.load(KEY)
    assert "\n" not in str(caught.value)
    stored(cache)
    cache.load(KEY)


def test_a_full_disk_leaves_the_old_plan_or_none(cache, monkeypatch):
    def full(file: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(plan_module.os, "fsync", full)
    with pytest.raises(BackendError, match="No space left on device; free some space, or set OMNIBIND_CACHE"):
        stored(cache)
    assert [path.name for path in cache.folder.iterdir()] == ["building.lock"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_really_full_device(cache):
    cache.folder.mkdir(parents=True)
    cache.path(KEY).with_name(f"{KEY.file}.part").symlink_to("/dev/full")
    with pytest.raises(BackendError, match="No space left on device"):
        stored(cache)
    assert not cache.path(KEY).exists()


def test_a_cache_that_cannot_be_written_is_said_before_anything_is_built(tmp_path):
    (tmp_path / "plans").write_text("a file")
    with (
        pytest.raises(BackendError, match="cannot store plans in"),
        PlanCache(tmp_path / "plans").building(),
    ):
        pytest.fail("builds without a place for the plan")


def test_what_a_killed_builder_left_is_overwritten(cache):
    cache.folder.mkdir(parents=True)
    part = cache.path(KEY).with_name(f"{KEY.file}.part")
    part.write_bytes(b"half")
    with pytest.raises(PlanMissing):
        cache.load(KEY)
    stored(cache)
    assert not part.exists()
    cache.load(KEY)


def test_timings_are_shared_by_models_and_precisions_but_not_by_gpus(cache):
    with cache.building():
        cache.store_timings(KEY, b"timings")
    assert cache.load_timings(OTHERS["precision"]) == b"timings"
    assert cache.load_timings(OTHERS["GPU"]) == b""
    (cache.folder / KEY.timings_file).write_bytes(b"damaged")
    assert cache.load_timings(KEY) == b""


def test_where_the_cache_is(monkeypatch):
    monkeypatch.setenv("OMNIBIND_CACHE", "/a")
    monkeypatch.setenv("XDG_CACHE_HOME", "/b")
    assert cache_folder() == Path("/a")
    monkeypatch.delenv("OMNIBIND_CACHE")
    assert cache_folder() == Path("/b/omnibind_ros")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "omnibind_ros"
