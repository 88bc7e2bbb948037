"""The command `arcana`. Exit codes: 0 done, 1 failed, 2 wrong use, 3 done but incomplete."""

from __future__ import annotations

import gc
import io
import logging
import os
import sys
from typing import Any

import click

from arcana_pipelines import __version__
from arcana_pipelines.cli.interrupts import Interrupted, leave
from arcana_pipelines.cli.output import fail, print_json, printable
from arcana_pipelines.errors import ArcanaError, WrongUse

# Each command with the first paragraph of its help: `arcana --help` imports none of their modules, and a command
# only its own.
_COMMANDS = {
    "alert": "Show what is wrong and who was told of it, and try whether those who are to be told are.",
    "audit": "Show who changed workspaces, keys and indexes, and check that nothing of it was changed since.",
    "backup": "Keep copies of everything in another place, check them, and delete old ones.",
    "company": "List companies, and limit what all keys of one may ask together.",
    "config": "Show and check what is configured, and make the secrets that are missing.",
    "db": "Create, check and find the database.",
    "doctor": "Check the environment; exit 1 when something needs repair.",
    "document": "Print a whole document, in the version that the index serves; relate two by hand.",
    "eval": "Measure how well an index answers golden questions; exit 3 when it does worse than its baseline.",
    "export": "Write what an index serves into a file: FILE ends in .parquet, .csv or .jsonl.",
    "file": "Add files that no page has, and see what became of all files of a workspace.",
    "index": "Make, rebuild, verify, promote, roll back and drop indexes.",
    "key": "Make, list, rotate and revoke the keys of programs that use `arcana serve`.",
    "mcp": "Serve searches and documents to an assistant over MCP, on standard input and output.",
    "metrics": "Tell Prometheus what the database says: once, at an address, or in a file.",
    "report": "Show what was learned from the use of `arcana serve`: of all workspaces, or of one.",
    "restore": "Restore a backup into an empty ARCANA_HOME, or an empty DATABASE_URL; anything else is refused.",
    "retry": "Sync a workspace and take up what waits in quarantine, without waiting for its time.",
    "search": "Search a workspace. QUERY - reads one query a line from standard input.",
    "seed": "Make workspaces with made-up pages, in English and Korean, and index them: for tests of load.",
    "serve": "Serve searches and documents over HTTP, for programs that have a key.",
    "status": "Show what is indexed, what is not and why, and what a sync is doing now. Times are this machine's.",
    "sync": "Bring a workspace's index up to date with its source.",
    "target": "Keep copies of an index in other stores, and prove that they are equal.",
    "taxonomy": "Keep a tree of topics in versions, and say what documents are about.",
    "ticket": "Support tickets, and summaries of them.",
    "up": "Start everything: database, Dagster UI and daemon, sensors running, and the API. Ctrl-C stops it all.",
    "usage": "Show what embeddings have cost, by month, workspace and model: of all workspaces, or of one.",
    "webhooks": "Receive Notion's webhooks, so that changes are synced within seconds.",
    "worker": "Carry out runs that Dagster's daemon hands to machines, until SIGTERM.",
    "workspace": "Register, list, show, change and remove workspaces.",
}


class _LazyGroup(click.Group):
    """Finds commands by name without importing the others."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        from importlib import import_module

        # What modules hold stays to the end: looking for garbage among it takes a tenth of a start.
        gc.disable()
        try:
            command: click.Command = import_module(f"arcana_pipelines.cli.commands.{cmd_name}").command
        finally:
            gc.freeze()
            gc.enable()
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """See `click.Group.format_commands`, which imports them all."""
        limit = formatter.width - 6 - max(map(len, _COMMANDS))
        with formatter.section("Commands"):
            formatter.write_dl(
                [(name, click.Command(name, help=help).get_short_help_str(limit)) for name, help in _COMMANDS.items()]
            )


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="arcana")
@click.option("-v", "--verbose", is_flag=True, help="Say more on standard error.")
@click.option("-q", "--quiet", is_flag=True, help="Do not say what is being done, only what came of it.")
@click.pass_context
def cli(context: click.Context, verbose: bool, quiet: bool) -> None:
    """Keep a company's Notion searchable: complete, fresh, cited, yours."""
    from arcana_pipelines.environment import read_env_files
    from arcana_pipelines.observing import logs, traces

    context.obj = read_env_files()
    for file in context.obj:
        if file.refused:
            click.echo(f"Warning: {file.path} is not read: {printable(file.refused)}.", err=True)
        elif file.unread_lines:
            lines = ", ".join(map(str, file.unread_lines))
            click.echo(f"Warning: {file.path}: no NAME=value, and left out: line {lines}.", err=True)
    logs.configure(verbose)
    traces.start_if_asked(context.invoked_subcommand or "")
    if not verbose:
        # It warns, with a traceback, of answers that are asked for again.
        logging.getLogger("urllib3").setLevel(logging.ERROR)


def main(arguments: list[str] | None = None) -> Any:
    """The entry point: errors of ours become a sentence and an exit code, never a traceback."""
    arguments = sys.argv[1:] if arguments is None else arguments
    os.umask(0o077)  # what we write, and what the processes that we start write, is for this user
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # pages have characters that a terminal's encoding may not have
    try:
        _refuse_empty(arguments)
        code = cli.main(arguments, prog_name="arcana", standalone_mode=False)
    except ArcanaError as error:
        fail(str(error), "--json" in arguments)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        if "--json" in arguments:
            print_json({"error": error.format_message()})
        error.show()
        sys.exit(2)
    except Interrupted as error:
        leave(error, "--json" in arguments)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(141)
    except Exception as error:
        from arcana_pipelines.cli.operational import in_a_line

        said = in_a_line(error)
        if said is None or {"-v", "--verbose"} & set(arguments):
            raise
        fail(f"{said} (arcana -v … shows where)", "--json" in arguments)
        sys.exit(1)
    sys.exit(code if isinstance(code, int) else 0)


def _refuse_empty(arguments: list[str]) -> None:
    """Refuse an argument without a character in it, whatever the command.

    It comes from a script whose variable is empty, and would widen what the command does: no scope, another token,
    the current directory, every address of the machine.

    Raises:
        WrongUse: there is one.
    """
    for before, argument in zip(["arcana", *arguments], arguments, strict=False):
        option, assigned, value = argument.partition("=")
        is_assigned = bool(assigned) and option.startswith("--")
        if not (value if is_assigned else argument).strip():
            where = f"{option} is" if is_assigned else f"The argument behind '{before}' is"
            raise WrongUse(f"{where} empty. Give it a value or leave it out; a variable of a script may not be set.")
