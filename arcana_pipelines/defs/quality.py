"""The asset that asks the golden questions, so that the quality of retrieval is plotted over time.

No postponed annotations here: Dagster reads the types of resources at run time.
"""

import time
from collections.abc import Iterator

import dagster as dg

from arcana_pipelines.defs.assets import OWNERS, rag_indexes
from arcana_pipelines.defs.checks import workspace_check
from arcana_pipelines.defs.names import ASSET_TAG
from arcana_pipelines.defs.partitions import workspaces
from arcana_pipelines.defs.resources import ArcanaResource
from arcana_pipelines.defs.tables import Cell, Kind, table
from arcana_pipelines.evaluation import quality
from arcana_pipelines.evaluation.metrics import DECISIVE


# As a multi-asset that may leave results out: where nothing was compared, the check reports nothing.
@dg.multi_asset(
    specs=[
        dg.AssetSpec(
            "retrieval_quality",
            deps=[rag_indexes],
            group_name="notion_index",
            kinds={"postgres"},
            tags={ASSET_TAG: "retrieval_quality"},
            owners=OWNERS,
            code_version="1",
            metadata={"dagster/table_name": "retrieval_quality"},
            description="How well the serving build of each index answers the kept golden questions "
            "(`arcana eval … --keep`).",
        )
    ],
    partitions_def=workspaces,
    check_specs=[
        workspace_check(
            "quality_holds",
            "retrieval_quality",
            f"The fused {DECISIVE} of every index on the kept golden questions is not below its baseline.",
            blocking=True,
        )
    ],
    can_subset=True,
)
def retrieval_quality(context: dg.AssetExecutionContext, arcana: ArcanaResource) -> Iterator[dg.MaterializeResult]:  # type: ignore[type-arg]  # Dagster recognises no subscripted one beside check specs
    """How well the serving build of each index answers the kept golden questions (`arcana eval … --keep`)."""
    started = time.monotonic()
    session = arcana.session(context)
    results = quality.evaluate_serving(session.connection, session.settings, session.workspace.workspace_id)
    metadata: dict[str, dg.MetadataValue | float] = {
        "questions": dg.MetadataValue.int(max((len(each.answers) for each, _ in results), default=0))
    }
    compared: list[list[Cell]] = []
    for evaluation, comparison in results:
        name = evaluation.build.index_name
        for group, values in evaluation.metrics.items():
            metadata |= {f"{name} {group} {measure}": float(value) for measure, value in values.items()}
        metadata[f"{name} worst queries"] = worst_table(evaluation)
        metadata[f"{name} pages left out"] = table({"page": "string"}, [[page] for page in evaluation.unknown])
        metadata[f"{name} passages left out"] = table(
            {"page": "string", "passage": "string"}, [[each.external_id, each.passage] for each in evaluation.unsaid]
        )
        if comparison:
            compared.append([name, comparison.questions, comparison.before, comparison.now, comparison.holds])
    check = dg.AssetCheckResult(
        check_name="quality_holds",
        passed=all(comparison.holds for _, comparison in results if comparison),
        metadata={
            "indexes": table(
                {"index": "string", "questions": "int", "before": "float", "now": "float", "holds": "bool"}, compared
            )
        },
    )
    yield dg.MaterializeResult(
        metadata={**metadata, "compared": len(compared), "seconds": round(time.monotonic() - started, 3)},
        check_results=[check] if compared else [],
    )


def worst_table(evaluation: quality.Evaluation) -> dg.TableMetadataValue:
    """The questions that were answered worst, with their decisive measure in each ranking."""
    columns: dict[str, Kind] = {"query": "string", **dict.fromkeys(quality.RANKINGS, "float")}
    rows: list[list[Cell]] = [
        [answer.question.query, *(round(answer.measures[ranking][DECISIVE], 3) for ranking in quality.RANKINGS)]
        for answer in evaluation.worst
    ]
    return table(columns, rows)
