"""The robot's processes without ROS 2: the same topics and messages, over Zenoh as `rmw_zenoh` has them."""
