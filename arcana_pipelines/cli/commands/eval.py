"""`arcana eval`: how well an index answers golden questions, and drafts of such questions."""

from __future__ import annotations

from typing import IO, get_args

import click

from arcana_pipelines.cli.database import open_database
from arcana_pipelines.cli.one_workspace import WorkspaceCommand
from arcana_pipelines.cli.output import console, json_option, print_json, printable, say
from arcana_pipelines.cli.progress import doing
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.schema import require_current
from arcana_pipelines.errors import WrongUse
from arcana_pipelines.evaluation import quality
from arcana_pipelines.evaluation.golden import to_dicts
from arcana_pipelines.evaluation.metrics import DECISIVE
from arcana_pipelines.evaluation.run import EvalOutcome, EvalRequest, run
from arcana_pipelines.files.csv_cells import cell
from arcana_pipelines.indexes.builds import DEFAULT_INDEX
from arcana_pipelines.retrieval.fusion import Fusion
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines.workspaces.workspaces import Workspace

BELOW_BASELINE = 3


@click.command(name="eval", cls=WorkspaceCommand)
@click.argument("slug")
@click.argument("golden", type=click.File("rb"), required=False)
@click.option("--index", default=DEFAULT_INDEX, show_default=True, help="Which of the workspace's indexes.")
@click.option("--build", type=int, metavar="N", help="This build of it (default: the one that serves).")
@click.option("--keep", is_flag=True, help="Keep the questions, instead of those kept before.")
@click.option("--baseline", is_flag=True, help="Make this result the one that later ones are compared with.")
@click.option(
    "--fusion",
    type=click.Choice(get_args(Fusion)),
    default="weighted",
    show_default=True,
    help="Try another way to combine words and meaning. The result is shown, and not stored.",
)
@click.option("--rerank", is_flag=True, help="Try the reranker of RERANKER_URL. The result is shown, and not stored.")
@click.option(
    "--csv", "csv_file", type=click.Path(dir_okay=False), metavar="FILE", help="Write every measure into FILE."
)
@click.option("--suggest", is_flag=True, help="Draft questions from titles and headings instead.")
@click.option("--from-feedback", is_flag=True, help="With --suggest: what readers asked, and said of the answers.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="How many drafts.")
@json_option
@click.pass_context
def command(
    context: click.Context, slug: str, golden: IO[bytes] | None, index: str, build: int | None, keep: bool,
    baseline: bool, fusion: Fusion, rerank: bool, csv_file: str | None, suggest: bool, from_feedback: bool, limit: int,
    as_json: bool,
) -> None:  # fmt: skip
    """Measure how well an index answers golden questions; exit 3 when it does worse than its baseline.

    GOLDEN holds a question a line: {"query": "…", "relevant": [{"external_id": "…", "passage": "…", "grade": 1}]}.
    Without it the kept questions are asked. `arcana eval SLUG --suggest > golden.jsonl` drafts some to begin with, and
    with --from-feedback some that readers asked.
    """
    is_asked_otherwise = index != DEFAULT_INDEX or build is not None or fusion != "weighted" or rerank
    if suggest and (golden or keep or baseline or csv_file or is_asked_otherwise):
        raise WrongUse("--suggest goes with --from-feedback and --limit only: it drafts questions and asks none.")
    if from_feedback and not suggest:
        raise WrongUse("--from-feedback says what --suggest drafts questions from: give --suggest, too.")
    request = EvalRequest(golden.read() if golden else None, index, build, keep, baseline, fusion, rerank)
    database = open_database()
    require_current(database)
    with database.connection() as connection:
        workspace = workspaces.find(connection, slug)
        if suggest:
            _suggest(connection, workspace, from_feedback, limit, as_json)
            return
        with doing(f"{slug}: asking …", not as_json) as tell:
            outcome = run(
                connection,
                database.settings,
                workspace,
                request,
                lambda questions: tell(f"{slug}: asking {questions} questions …"),
            )
    if csv_file:
        outcome.evaluation.frame().map(cell).to_csv(csv_file, index=False, encoding="utf-8")
    if as_json:
        print_json({"workspace": slug, **outcome.to_dict()})
    else:
        _print(outcome)
    if outcome.is_below_baseline:
        context.exit(BELOW_BASELINE)


def _suggest(connection: Connection, workspace: Workspace, from_feedback: bool, limit: int, as_json: bool) -> None:
    draft = quality.suggest_from_feedback if from_feedback else quality.suggest
    drafts = draft(connection, workspace.workspace_id, limit)
    if as_json:
        print_json({"workspace": workspace.slug, "questions": to_dicts(drafts)})
    else:
        for question in drafts:
            print_json(question.model_dump(exclude_none=True))
    if from_feedback and not drafts:
        click.echo("Nobody has said of an answer yet that it helped, or no text of a question is kept.", err=True)
        return
    click.echo(
        f"{len(drafts)} drafts. Look through them: ask as your readers ask, and name every page that answers.", err=True
    )


def _print(outcome: EvalOutcome) -> None:
    from rich.table import Table

    evaluation = outcome.evaluation
    out = console()
    build = evaluation.build
    say("[bold]{}[/bold], build {}: {} questions", build.index_name, build.rag_index_build_id, len(evaluation.answers))
    means = Table("ranking", *evaluation.metrics["fused"])
    for ranking in quality.RANKINGS:
        means.add_row(ranking, *(f"{value:.3f}" for value in evaluation.metrics[ranking].values()))
    out.print(means)
    say(
        "A fused search takes {}", ", ".join(f"{name} {ms} ms" for name, ms in evaluation.metrics["latency_ms"].items())
    )
    _print_worst(evaluation)
    for page in evaluation.unknown:
        say("[yellow]Left out:[/yellow] {} is not a page of this workspace", page)
    for each in evaluation.unsaid:
        say("[yellow]Left out:[/yellow] the page {} does not say “{}”", each.external_id, each.passage)
    if outcome.request.baseline:
        say("This result is the baseline from now on.")
    elif outcome.comparison is not None or not outcome.request.is_trial:
        _print_comparison(outcome.comparison, outcome.had_baseline)


def _print_comparison(compared: quality.Comparison | None, has_baseline: bool) -> None:
    if compared is not None:
        say(
            f"{DECISIVE} {'holds' if compared.holds else '[red]is below[/red]'} the baseline: {compared.now:.3f} now, "
            f"{compared.before:.3f} then, on {compared.questions} questions"
        )
    elif has_baseline:
        say("The baseline is of other questions; --baseline sets a new one.")
    else:
        say("There is no baseline yet; --baseline makes this result the first.")


def _print_worst(evaluation: quality.Evaluation) -> None:
    from rich.table import Table
    from rich.text import Text

    if not evaluation.worst:
        return
    table = Table()
    table.add_column(f"worst queries ({DECISIVE})", overflow="fold")
    for column in (*quality.RANKINGS, "fused less the better half"):
        table.add_column(column)
    for answer in evaluation.worst:
        values = [f"{answer.measures[ranking][DECISIVE]:.3f}" for ranking in quality.RANKINGS]
        table.add_row(Text(printable(answer.question.query)), *values, f"{answer.difference:+.3f}")
    console().print(table)
