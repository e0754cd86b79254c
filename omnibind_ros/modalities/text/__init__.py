"""Typed or transcribed text: a message is a sample, and counts for a while."""

from omnibind_ros.modalities.definition import Lazy, ModalityDefinition

DEFINITION = ModalityDefinition(
    name="text",
    reads=("std_msgs/msg/String",),
    preprocessor=Lazy(f"{__name__}.preprocessing:TextPreprocessor"),
    hold_s=30.0,
    publishes="std_msgs/msg/String",
    frames=Lazy(f"{__name__}.messages:frames"),
    simulate=Lazy(f"{__name__}.simulation:simulate_text"),
    files=Lazy(f"{__name__}.training:FILES"),
    student=Lazy(f"{__name__}.training:STUDENT"),
)
