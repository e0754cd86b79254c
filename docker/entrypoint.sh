# Run a command in the environment of ROS 2 and the workspace.
set -e
source "/opt/ros/$ROS_DISTRO/setup.bash"
source /ws/install/setup.bash
export PYTHONPATH="$(python -c 'import sysconfig; print(sysconfig.get_path("purelib"))'):$PYTHONPATH"
exec "$@"
