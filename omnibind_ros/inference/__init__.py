"""Bundles, the engines that run their models, and the one worker thread of a sensor encoder."""

from omnibind_ros.inference.bundle import Bundle
from omnibind_ros.inference.encoder import SensorEncoder
from omnibind_ros.inference.encoder_worker import EncoderWorker
from omnibind_ros.inference.engine import Engine, load_engine
from omnibind_ros.inference.intake import BoundedQueue, NewestSlot

__all__ = ["BoundedQueue", "Bundle", "EncoderWorker", "Engine", "NewestSlot", "SensorEncoder", "load_engine"]
