"""The `kefud` command. Each group of commands has a file of its own, imported only when it is asked for."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

import click

from kefud import __version__
from kefud.errors import KefudError

COMMANDS: dict[str, tuple[str, str]] = {
    "run": ("kefud.cli.run:run", "the daemon, in the foreground; --once works off all there is and ends"),
    "check": ("kefud.cli.check:check", "every problem of the configuration at once, with file, line and key"),
    "init": ("kefud.cli.init:init", "write a complete commented configuration to start from"),
    "demo": ("kefud.cli.demo:demo", "the whole system on this machine alone, with sample mail, calls and letters"),
    "status": ("kefud.cli.status:status", "channels, shelf, outbox, deadlines, workers, plugins switched off"),
    "ticket": ("kefud.cli.ticket:ticket", "list and show tickets, and what a handler does with them"),
    "explain": ("kefud.cli.explain:explain", "why this kind, department, deadline, recipient"),
    "shelf": ("kefud.cli.shelf:shelf", "arrivals that wait for a person"),
    "outbox": ("kefud.cli.outbox:outbox", "letters on their way, with attempts and answers"),
    "approve": ("kefud.cli.decide:approve", "approve what a ticket asks for"),
    "reject": ("kefud.cli.decide:reject", "reject what a ticket asks for, with a reason"),
    "report": ("kefud.cli.report:report", "registers, digests and reports of any period, as xlsx, pdf, html, csv or json"),
    "sign": ("kefud.cli.sign:sign", "sign a digest or report: read, orders for tickets, guidance"),
    "survey": ("kefud.cli.survey:survey", "ask a list of houses how satisfied they are; count the answers"),
    "rehearse": ("kefud.cli.whatif:rehearse_command", "stored arrivals through changed rules: what would differ"),
    "simulate": ("kefud.cli.whatif:simulate_command", "what would be sent and escalated if nobody acted"),
    "plugin": ("kefud.cli.plugin:plugin", "what is loaded and from where; new plugins; contract tests"),
    "privacy": ("kefud.cli.privacy:privacy", "personal data: export, erase, impact, retention, who looked"),
    "db": ("kefud.cli.db:db", "schema and backup"),
    "verify": ("kefud.cli.db:verify", "check the invariants of the store"),
    "doctor": ("kefud.cli.doctor:doctor", "probe the machine: Python, fonts, OCR models, calendar, file modes"),
}
"""Command → where it is, and its line in --help; a command is imported when it is called."""


class Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.command(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="kefud %(version)s")
@click.option("-c", "--config", "config", metavar="FILE", help="Configuration file (default: $KEFUD_CONFIG, "
              "config/kefud.toml, /etc/kefud/kefud.toml).")  # fmt: skip
@click.option("-v", "--verbose", is_flag=True, help="Log more.")
@click.pass_context
def kefud(ctx: click.Context, config: str | None, verbose: bool) -> None:
    """kefud, the mail and ticket daemon of a customer-service centre (客服 daemon)."""
    ctx.obj = {"config": config, "verbose": verbose}


def main(arguments: list[str] | None = None) -> None:
    """Entry point. Every error ends in one clear sentence and an exit status, never in a traceback."""
    try:
        code: Any = kefud.main(args=arguments, standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except click.UsageError as error:
        _complain(error.format_message(), 64, error.ctx)
    except click.ClickException as error:
        _complain(error.format_message(), 1)
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        _complain("interrupted", 1)
    except KefudError as error:
        _complain(str(error), error.exit_status)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
    except OSError as error:
        _complain(f"{error.filename or 'system'}: {error.strerror or error}", 1)
    except Exception as error:
        if os.environ.get("KEFUD_TRACEBACK"):
            raise
        _complain(f"{type(error).__name__}: {error} (a fault of kefud; KEFUD_TRACEBACK=1 shows where)", 1)


def _complain(text: str, status: int, ctx: click.Context | None = None) -> None:
    click.echo(f"kefud: {text}", err=True)
    if ctx is not None:
        click.echo(f"Try: {ctx.command_path} --help", err=True)
    sys.exit(status)
