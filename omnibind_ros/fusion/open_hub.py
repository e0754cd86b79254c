"""A bundle and a robot's wishes -> the hub that its shell drives."""

from __future__ import annotations

from omnibind_ros.bundle.label_bank import LabelBank
from omnibind_ros.bundle.loading import Bundle
from omnibind_ros.config.robot import FusionConfig
from omnibind_ros.fusion.adaptive_fusion import AdaptiveFusion
from omnibind_ros.fusion.calibration import Calibration
from omnibind_ros.fusion.hub import FusionHub
from omnibind_ros.fusion.live_set import Freshness


def open_label_bank(bundle: Bundle) -> LabelBank:
    """Read the label bank of a bundle.

    Raises:
        BundleError: it is damaged.
    """
    return LabelBank.from_npz(bundle.labels_path.read_bytes(), str(bundle.labels_path))


def open_hub(bundle: Bundle, labels: LabelBank, config: FusionConfig, *, backend: str = "auto") -> FusionHub:
    """Load the fusion step and put everything together; muted sensors are muted.

    Raises:
        BundleError: the parts do not fit.
        BackendError: the fusion model cannot be run here.
        ConfigError: a setting cannot be used.
    """
    engine = bundle.load_fusion(backend=backend, threads=config.threads)
    engine.warm_up()
    entry, calibration = bundle.manifest.fusion, bundle.manifest.calibration
    hub = FusionHub(
        AdaptiveFusion(engine.run, entry.modalities, entry.max_sensors, labels.class_centres),
        labels,
        Calibration(calibration.scale_by_count, calibration.unknown_threshold),
        bundle.space,
        Freshness(**config.freshness.model_dump()),
        top_k=config.top_k,
        unknown_threshold=config.unknown_threshold,
    )
    hub.live_set.mute(config.muted_sensors)
    return hub
