"""Our types <-> ROS 2 messages, messages <-> CDR bytes, and the names of the topics."""
