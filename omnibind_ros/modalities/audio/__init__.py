"""Microphones: a stream of PCM, of which an utterance is a sample."""

from omnibind_ros.modalities.definition import Lazy, ModalityDefinition

DEFINITION = ModalityDefinition(
    name="audio",
    reads=("audio_common_msgs/msg/AudioDataStamped", "audio_common_msgs/msg/AudioData"),
    preprocessor=Lazy(f"{__name__}.preprocessing:AudioPreprocessor"),
    min_timeout_s=1.5,
    publishes="audio_common_msgs/msg/AudioDataStamped",
    depth=50,
    frames=Lazy(f"{__name__}.messages:frames"),
    simulate=Lazy(f"{__name__}.simulation:simulate_audio"),
    augment=Lazy(f"{__name__}.training:augment_audio"),
    corruptions=Lazy(f"{__name__}.training:CORRUPTIONS"),
    files=Lazy(f"{__name__}.recordings:FILES"),
    student=Lazy(f"{__name__}.training:STUDENT"),
)
