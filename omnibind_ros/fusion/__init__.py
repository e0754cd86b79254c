"""The live set of sensors -> one embedding -> one answer. Pure: no clock is read, no thread, no I/O."""

from omnibind_ros.bundle.label_bank import LabelBank
from omnibind_ros.fusion.adaptive_fusion import AdaptiveFusion, Engine, Fused, Fusion, MeanFusion
from omnibind_ros.fusion.calibration import Calibration
from omnibind_ros.fusion.hub import FusionHub
from omnibind_ros.fusion.live_set import Change, Freshness, LiveSet
from omnibind_ros.fusion.rate import PublishSchedule

__all__ = [
    "AdaptiveFusion",
    "Calibration",
    "Change",
    "Engine",
    "Freshness",
    "Fused",
    "Fusion",
    "FusionHub",
    "LabelBank",
    "LiveSet",
    "MeanFusion",
    "PublishSchedule",
]
