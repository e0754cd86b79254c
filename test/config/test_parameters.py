"""Settings as ROS 2 parameters: there and back again, loosely typed as people write, or refused by name."""

from __future__ import annotations

import math
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, ValidationError

from omnibind_ros.config.parameters import (
    ParameterError,
    Settings,
    from_parameters,
    settings_of,
    to_parameters,
)
from omnibind_ros.config.settings import EncoderSettings, FusionSettings
from omnibind_ros.errors import ConfigError

CAMERA = {"sensor": "camera", "modality": "image", "topic": "camera/image_raw"}
MODELS = [FusionSettings, EncoderSettings]

positive = st.floats(1e-3, 1e3).map(lambda x: float(f"{x:.6g}"))
endless = positive | st.just(math.inf)
names = st.from_regex(r"[a-z][a-z0-9_]{0,9}", fullmatch=True)
fusion_settings = st.fixed_dictionaries(
    {},
    optional={
        "bundle": st.text(),
        "rate_hz": st.floats(0.1, 50).map(lambda x: float(f"{x:.6g}")),
        "max_rate_hz": st.floats(50, 1000),
        "top_k": st.integers(1, 100),
        "unknown_threshold": st.none() | st.floats(0, 1),
        "frame_id": st.text(),
        "muted_sensors": st.lists(names).map(tuple),
        "freshness": st.fixed_dictionaries(
            {},
            optional={
                "min_timeout_s": positive,
                "min_timeout_by_modality": st.dictionaries(names, positive, max_size=3),
                "hold_s": st.dictionaries(names, endless, max_size=3),
                "stuck_after_s": endless,
            },
        ),
    },
)
encoder_settings = st.fixed_dictionaries(
    {"sensor": names, "modality": names, "topic": names},
    optional={
        "frame_id": st.none() | st.text(min_size=1),
        "precision": st.none() | st.text(min_size=1),
        "backend": st.sampled_from(["auto", "onnxruntime"]),
        "driver_timeout_s": st.none() | endless,
        "driver_periods": st.floats(1, 100),
        "queue_s": positive,
        "queue_mb": positive,
        "queue_depth": st.none() | st.integers(1, 1000),
    },
)
values = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.lists(st.text() | st.integers() | st.floats() | st.booleans(), max_size=3)
)


class TestThereAndBackAgain:
    @given(fusion_settings)
    def test_fusion(self, chosen: dict[str, Any]) -> None:
        settings = FusionSettings.model_validate(chosen)
        assert from_parameters(FusionSettings, to_parameters(settings)) == settings

    @given(encoder_settings)
    def test_encoder(self, chosen: dict[str, Any]) -> None:
        settings = EncoderSettings.model_validate(chosen)
        assert from_parameters(EncoderSettings, to_parameters(settings)) == settings

    @given(fusion_settings)
    def test_only_what_differs_is_written(self, chosen: dict[str, Any]) -> None:
        written = to_parameters(FusionSettings.model_validate(chosen))
        defaults = {setting.name: setting.default for setting in settings_of(FusionSettings)}
        assert not {name for name, value in written.items() if value == defaults[name]}

    def test_options_of_a_modality(self) -> None:
        mic = EncoderSettings.model_validate(
            {"sensor": "mic", "modality": "audio", "topic": "mic", "audio": {"rate": 48000, "channels": 2}}
        )
        written = to_parameters(mic)
        assert (written["audio.rate"], written["audio.channels"]) == (48000, 2)
        assert "audio.sample_format" not in written
        assert from_parameters(EncoderSettings, written).options == mic.options

    def test_defaults_are_written_as_nothing(self) -> None:
        assert to_parameters(FusionSettings()) == {}
        assert from_parameters(FusionSettings, {}) == FusionSettings()


@pytest.mark.parametrize("model", MODELS)
def test_every_setting_is_described_and_has_a_default_of_its_kind(model: type[Settings]) -> None:
    settings = {setting.name: setting for setting in settings_of(model)}
    for setting in settings.values():
        assert setting.description and not setting.description.startswith(("'", " ")), setting.name
        assert "null" not in setting.description, setting.name
        wanted = str if setting.kind is dict else setting.kind
        assert isinstance(setting.default, wanted) or setting.default == "", setting
    assert len(settings) == len(settings_of(model)), "no two of one name"


def test_ranges_and_defaults_are_those_of_the_class() -> None:
    fusion = {setting.name: setting for setting in settings_of(FusionSettings)}
    assert (fusion["rate_hz"].kind, fusion["rate_hz"].default) == (float, 10.0)
    assert (fusion["rate_hz"].minimum, fusion["rate_hz"].maximum) == (0.0, 1000.0)
    assert (fusion["top_k"].minimum, fusion["top_k"].maximum) == (1.0, None)
    # Null is a value of its own, below all others.
    assert (fusion["unknown_threshold"].minimum, fusion["unknown_threshold"].maximum) == (-1.0, 1.0)
    assert fusion["unknown_threshold"].default == -1.0
    assert fusion["muted_sensors"].default == ()
    assert fusion["freshness.hold_s"].default == "{text: 30}"
    assert fusion["freshness.min_timeout_by_modality"].default == "{audio: 1.5, touch: 4}"
    encoder = {setting.name: setting for setting in settings_of(EncoderSettings)}
    assert encoder["sensor"].default == encoder["modality"].default == encoder["topic"].default == ""
    assert encoder["backend"].description.endswith("(auto, onnxruntime, tensorrt)")
    assert (encoder["audio.rate"].minimum, encoder["audio.rate"].default) == (1000.0, 16000)
    assert (encoder["queue_s"].default, encoder["queue_mb"].default) == (2.0, 64.0)
    assert (encoder["queue_depth"].default, encoder["queue_depth"].minimum) == (-1, -1.0)


@pytest.mark.parametrize(
    "written, meant",
    [
        ({"rate_hz": 5}, {"rate_hz": 5.0}),
        ({"top_k": 2.0}, {"top_k": 2}),
        ({"unknown_threshold": 0}, {"unknown_threshold": 0.0}),
        ({"unknown_threshold": -1}, {"unknown_threshold": None}),
        ({"muted_sensors": "camera"}, {"muted_sensors": ("camera",)}),
        ({"muted_sensors": ["camera", "mic"]}, {"muted_sensors": ("camera", "mic")}),
        ({"muted_sensors": []}, {"muted_sensors": ()}),
        ({"muted_sensors": ""}, {"muted_sensors": ()}),
        ({"muted_sensors": None}, {"muted_sensors": ()}),
        ({"freshness.stuck_after_s": math.inf}, {"freshness": {"stuck_after_s": math.inf}}),
        ({"freshness.hold_s": "{audio: 2.0}"}, {"freshness": {"hold_s": {"audio": 2.0}}}),
        ({"freshness.hold_s": ""}, {}),
        ({"freshness.hold_s": "{}"}, {}),
    ],
)
def test_what_can_be_meant_is_understood(written: dict[str, Any], meant: dict[str, Any]) -> None:
    assert from_parameters(FusionSettings, written) == FusionSettings.model_validate(meant)


def test_nothing_given_is_null() -> None:
    given_empty = {**CAMERA, "frame_id": "", "precision": "", "driver_timeout_s": -1.0}
    settings = from_parameters(EncoderSettings, given_empty)
    assert settings == EncoderSettings.model_validate(CAMERA)
    assert settings.frame_id is settings.precision is settings.driver_timeout_s is settings.audio is None


@pytest.mark.parametrize(
    "written, name, problem",
    [
        ({"rate_hz": 0.0}, "rate_hz", "greater than 0"),
        ({"rate_hz": "quick"}, "rate_hz", "not 'quick'"),
        ({"rate_hz": True}, "rate_hz", "not True"),
        ({"rate_hz": None}, "rate_hz", "not null"),
        ({"threads": True}, "threads", "not True"),
        ({"rate_hz": math.nan}, "rate_hz", "nan"),
        ({"top_k": 1.5}, "top_k", "not 1.5"),
        ({"unknown_threshold": -0.5}, "unknown_threshold", "greater than or equal to 0"),
        ({"muted_sensors": 3}, "muted_sensors", "should be a list, e.g. [a, b], not 3"),
        ({"muted_sensors": ["Bad Name"]}, "muted_sensors.0", "Bad Name"),
        ({"freshness.hold_s": "{audio"}, "freshness.hold_s", "'{audio' is not like {audio: 1.5}"),
        ({"freshness.hold_s": "[1]"}, "freshness.hold_s", "should be a mapping"),
        ({"freshness.hold_s": "{audio: long}"}, "freshness.hold_s.audio", "not 'long'"),
        ({"freshness.periods": 0.5}, "freshness.periods", "greater than or equal to 1"),
        ({"max_rate_hz": 5.0}, "", "max_rate_hz 5 is below rate_hz 10; raise it"),
    ],
)
def test_what_cannot_be_is_refused_by_name(written: dict[str, Any], name: str, problem: str) -> None:
    with pytest.raises(ParameterError) as refused:
        from_parameters(FusionSettings, written)
    assert refused.value.name == name
    message = str(refused.value)
    assert problem in message
    assert message.startswith(f"parameter {name}: ") == bool(name)
    assert "\n" not in message


def test_what_is_missing_is_asked_for() -> None:
    with pytest.raises(ParameterError, match=r"^parameter topic: must be given$") as refused:
        from_parameters(EncoderSettings, {**CAMERA, "topic": ""})
    assert refused.value.name == "topic"
    with pytest.raises(ParameterError, match=r"^parameter modality: must be given$"):
        from_parameters(EncoderSettings, {"sensor": "camera"})


@pytest.mark.parametrize("model", MODELS)
@given(data=st.data())
def test_whatever_is_given_is_understood_or_refused(model: type[Settings], data: st.DataObject) -> None:
    known = [setting.name for setting in settings_of(model)]
    given_values = data.draw(st.dictionaries(st.sampled_from(known), values, max_size=4))
    try:
        settings = from_parameters(model, given_values)
    except ConfigError as refusal:
        assert isinstance(refusal, ParameterError)
        assert "\n" not in str(refusal)
    else:
        assert isinstance(settings, model)


def test_a_class_of_anybody_is_read_the_same_way() -> None:
    class Inner(Settings):
        size: float = Field(2.0, gt=1)
        """how large"""

    class Outer(Settings):
        kind: Literal["a", "b"] = "a"
        """which"""
        inner: Inner = Inner()

    kind, size = settings_of(Outer)
    assert (kind.name, kind.kind, kind.default, kind.description) == ("kind", str, "a", "which (a, b)")
    assert (size.name, size.kind, size.default, size.minimum) == ("inner.size", float, 2.0, 1.0)
    assert from_parameters(Outer, {"inner.size": 3}).inner.size == 3.0
    with pytest.raises(ParameterError, match=r"parameter kind: 'c' is not valid"):
        from_parameters(Outer, {"kind": "c"})
    with pytest.raises(ValidationError):
        Outer(kind="c")  # type: ignore[arg-type]
