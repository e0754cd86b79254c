# Runs a command with ROS 2 and the workspace sourced.
set -e
source "/opt/ros/$ROS_DISTRO/setup.bash"
source /ws/install/setup.bash
export PYTHONPATH="$(python -c 'import sysconfig; print(sysconfig.get_path("purelib"))'):$PYTHONPATH"
exec "$@"
