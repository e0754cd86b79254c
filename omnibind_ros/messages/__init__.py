"""Core nouns <-> ROS 2 messages, written once for ROS classes and rosbags classes, and the topic names."""
