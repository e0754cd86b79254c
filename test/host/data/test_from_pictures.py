"""Pictures seen through another sensor."""

from __future__ import annotations

import numpy as np

from omnibind_ros.host.data.from_pictures import as_modality
from omnibind_ros.host.data.readers import read_recordings
from omnibind_ros.host.data.recipe import load_recipe
from omnibind_ros.host.data.recording import Recording
from omnibind_ros.host.data.scene import Scene
from omnibind_ros.modalities.registry import make_preprocessor


def a_bar() -> np.ndarray:
    picture = np.zeros((28, 28, 3), np.uint8)
    picture[4:24, 12:16] = 255
    return picture


def test_events_arise_where_the_edges_of_the_picture_are():
    (filmed,) = as_modality([Recording("image", "x", "bar", "1", "", a_bar)], "event")
    events = filmed.load()
    assert filmed.pair == "bar"
    assert (filmed.modality, filmed.label) == ("event", "1")
    assert make_preprocessor("event").check(events).quality == 1
    upright, across = np.ptp(np.percentile(events.y, (10, 90))), np.ptp(np.percentile(events.x, (10, 90)))
    assert upright > 1.5 * across
    again = filmed.load()
    np.testing.assert_array_equal(events.t, again.t)


def test_filmed_handwriting_looks_like_simulated_handwriting(data_root):
    recipe = load_recipe("digits")
    pictures = [r for r in read_recordings(recipe, data_root, ("image",)) if r.source == "handwritten"][:20]
    adaptor = make_preprocessor("event")
    filmed = np.stack([adaptor.prepare(r.load()) for r in as_modality(pictures, "event")])
    simulated = np.stack([adaptor.prepare(Scene(i % 10, i).sample("event")) for i in range(20)])
    assert 0.5 < filmed.sum() / simulated.sum() < 2
