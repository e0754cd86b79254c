"""`omnibind`: one command line for robot and host. A command's module is imported when it is called.

Every mistake of a user is one line on stderr and exit status 2: trying again would not help. Anything else
that goes wrong, a network that cannot be used or a fault of ours, is one line and exit status 1. `--debug`
shows the traceback.
"""

from __future__ import annotations

import logging
import sys
from dataclasses import dataclass
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from omnibind_ros.errors import ConfigError, OmniBindError, TrainingError, TransportError
from omnibind_ros.names import nearest

_log = logging.getLogger("omnibind")

_FAILED, _MISTAKE = 1, 2


@dataclass(frozen=True)
class Command:
    """A command `name` is the function `name` of the module `omnibind_ros.cli.<name>`.

    extra: what to install if one of its imports is missing, as in `pip install ".[<extra>]"`.
    """

    summary: str
    extra: str = ""


COMMANDS = {
    "demo": Command("A scripted robot: sensors join, leave and fail while recognition goes on."),
    "up": Command("Start fusion and all encoders of a robot file, and restart what crashes."),
    "watch": Command("The live table of sensors, weights and the answer of any running robot.", "view"),
    "fusion": Command("Fuse whatever sensors are live into one recognition."),
    "encoder": Command("Embed what one sensor sends."),
    "play": Command("Publish recordings, simulated sensors or a ROS 2 bag at their real rate."),
    "data": Command("Check recordings against a recipe: how many of what, and what is wrong."),
    "evaluate": Command("Accuracy of a bundle on recordings, by modality and for every subset."),
    "report": Command("One page of charts of a run's or a bundle's evaluation."),
    "build": Command("Build TensorRT plans of a bundle's encoders for this machine."),
    "train": Command("Train students and fusion on recordings; measure them on held-back ones.", "train"),
    "ablate": Command("What each part of training is worth on a few recordings.", "train"),
    "export": Command("Write a finished training run as a bundle.", "train"),
    "bench": Command("Latency, memory and cold start of encoders, by backend and precision."),
    "quantize": Command("Add fp16 and 8 bit encoders to a bundle, each with its measured accuracy.", "train"),
}


class LazyGroup(TyperGroup):
    """The commands of the table above; asking for help imports none of them."""

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
) -> None:
    """Recognise what is around a robot from whatever sensors are live right now."""
    level = logging.DEBUG if debug else logging.WARNING
    logging.basicConfig(level=level, format="%(levelname)s %(name)s: %(message)s", force=True)
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main() -> None:
    """Entry point of `omnibind`."""
    try:
        status = app(standalone_mode=False)
    except typer.Abort:
        status = 130
    except Exception as error:
        if _log.isEnabledFor(logging.DEBUG):
            raise
        typer.echo(f"omnibind: {_one_line(error)}", err=True)
        status = _MISTAKE if _is_mistake(error) else _FAILED
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


def _is_mistake(error: Exception) -> bool:
    if isinstance(error, OmniBindError):
        return not isinstance(error, (TrainingError, TransportError))
    # The command line's own mistakes are of a class that differs between versions of typer.
    return hasattr(error, "format_message")


def _one_line(error: Exception) -> str:
    if isinstance(error, OmniBindError):
        text = str(error)
    elif hasattr(error, "format_message"):
        text = error.format_message()
    else:
        text = f"{type(error).__name__}: {error} (a fault in omnibind; `omnibind --debug ...` shows where)"
    return " ".join(text.split())


if __name__ == "__main__":
    main()
