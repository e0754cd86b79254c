"""`omnibind`: the command line for robot and host. A command's module is imported when it is called.

An error is one line on stderr. The exit status is 2 if the command line, a configuration, a bundle or a
recording is invalid: running the same command again would not help. It is 1 for all other errors, e.g. of the
network, a GPU or this package. `--debug` shows tracebacks.
"""

from __future__ import annotations

import logging
import sys
from dataclasses import dataclass
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

import omnibind_ros
from omnibind_ros.errors import FAILED, REFUSED, ConfigError, OmniBindError
from omnibind_ros.names import nearest

_log = logging.getLogger("omnibind")


@dataclass(frozen=True)
class Command:
    """The command `name` is the function `name` of the module `omnibind_ros.cli.<name>`.

    extra: installs the optional imports of the command: `pip install ".[<extra>]"`.
    """

    summary: str
    extra: str = ""


COMMANDS = {
    "demo": Command("Scripted demo: sensors join, leave and fail while recognition continues."),
    "up": Command("Start fusion and all encoders of a robot file; restart them after a crash."),
    "watch": Command("Live table of the sensors, weights and answer of a running robot.", "view"),
    "fusion": Command("Fuse all live sensors into one recognition."),
    "encoder": Command("Embed the messages of one sensor."),
    "play": Command("Publish recordings, simulated sensors or a ROS 2 bag at their real rate."),
    "data": Command("Check recordings against a recipe: counts by class, and errors."),
    "evaluate": Command("Accuracy of a bundle on recordings, by modality and for every subset."),
    "report": Command("One page of charts from the evaluation of a training run or a bundle."),
    "build": Command("Build TensorRT plans of a bundle's encoders for this machine."),
    "train": Command("Train students and fusion on recordings; evaluate on held-out ones.", "train"),
    "ablate": Command("Contribution of each part of training, on few recordings.", "train"),
    "export": Command("Write a finished training run as a bundle.", "train"),
    "bench": Command("Latency, memory and cold start of encoders, by backend and precision."),
    "quantize": Command("Add fp16 and 8-bit encoders to a bundle, with their measured accuracy.", "train"),
}


class LazyGroup(TyperGroup):
    """The commands of `COMMANDS`; `--help` imports none of them."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            raise ConfigError(f"no command {cmd_name!r}{nearest(cmd_name, COMMANDS)}")
        one = typer.Typer(add_completion=False, rich_markup_mode=None)
        one.command(cmd_name)(_function(cmd_name))
        return typer.main.get_command(one)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.summary) for name, command in COMMANDS.items()])


app = typer.Typer(cls=LazyGroup, add_completion=False, rich_markup_mode=None, invoke_without_command=True)


@app.callback()
def omnibind(
    context: typer.Context,
    debug: Annotated[
        bool, typer.Option("--debug", envvar="OMNIBIND_DEBUG", help="Log everything; show tracebacks.")
    ] = False,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    """Recognise what is around a robot from the sensors that are live."""
    if version:
        typer.echo(f"omnibind_ros {omnibind_ros.__version__}")
        raise typer.Exit
    level = logging.DEBUG if debug else logging.WARNING
    logging.basicConfig(level=level, format="%(levelname)s %(name)s: %(message)s", force=True)
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main() -> None:
    """Entry point of `omnibind`."""
    try:
        status = app(standalone_mode=False)
    except (typer.Abort, KeyboardInterrupt):  # the latter by a second Ctrl-C while the first is handled
        status = 130
    except Exception as error:
        if _log.isEnabledFor(logging.DEBUG):
            raise
        typer.echo(f"omnibind: {_one_line(error)}", err=True)
        status = _status(error)
    sys.exit(status if isinstance(status, int) else 0)


def _function(name: str) -> Any:
    try:
        return getattr(import_module(f"omnibind_ros.cli.{name}"), name)
    except ModuleNotFoundError as error:
        extra = COMMANDS[name].extra
        if not extra or (error.name or "").startswith("omnibind_ros"):
            raise
        raise ConfigError(
            f"'omnibind {name}' needs the Python module {error.name!r}: "
            f'pip install ".[{extra}]" in the checkout of omnibind_ros'
        ) from error


def _status(error: Exception) -> int:
    if isinstance(error, OmniBindError):
        return error.status
    # The class of usage errors differs between versions of typer; all have this method.
    return REFUSED if hasattr(error, "format_message") else FAILED


def _one_line(error: Exception) -> str:
    if isinstance(error, OmniBindError):
        text = str(error)
    elif hasattr(error, "format_message"):
        text = error.format_message()
    else:
        text = f"{type(error).__name__}: {error} (a bug; `omnibind --debug ...` shows the traceback)"
    return " ".join(text.split())


if __name__ == "__main__":
    main()
