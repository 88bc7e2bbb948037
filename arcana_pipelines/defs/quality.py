"""The asset that asks the golden questions, so that the quality of retrieval is plotted over time.

No postponed annotations here: Dagster reads the types of resources at run time.
"""

import time

import dagster as dg

from arcana_pipelines.defs.assets import OWNERS, rag_indexes
from arcana_pipelines.defs.partitions import workspaces
from arcana_pipelines.defs.resources import ArcanaResource
from arcana_pipelines.pipeline import quality
from arcana_pipelines.retrieval.metrics import DECISIVE


@dg.asset(
    deps=[rag_indexes],
    partitions_def=workspaces,
    group_name="notion_index",
    kinds={"postgres"},
    owners=OWNERS,
    code_version="1",
    metadata={"dagster/table_name": "retrieval_quality"},
    check_specs=[
        dg.AssetCheckSpec(
            "quality_holds",
            asset="retrieval_quality",
            blocking=True,
            description=f"The fused {DECISIVE} of every index on the kept golden questions is not below its baseline.",
        )
    ],
)
def retrieval_quality(context: dg.AssetExecutionContext, arcana: ArcanaResource) -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster recognises no subscripted one beside check specs
    """How well the serving build of each index answers the kept golden questions (`arcana eval … --keep`)."""
    started = time.monotonic()
    session = arcana.session(context.partition_key)
    results = quality.evaluate_serving(session.connection, session.settings, session.workspace.workspace_id)
    metadata: dict[str, dg.MetadataValue | float] = {
        "questions": dg.MetadataValue.int(max((len(each.answers) for each, _ in results), default=0))
    }
    compared: dict[str, dg.MetadataValue] = {}
    for evaluation, comparison in results:
        name = evaluation.build.index_name
        for group, values in evaluation.metrics.items():
            metadata |= {f"{name} {group} {measure}": float(value) for measure, value in values.items()}
        metadata[f"{name} worst queries"] = dg.MetadataValue.md(quality.worst_table(evaluation))
        metadata[f"{name} pages left out"] = dg.MetadataValue.json(list(evaluation.unknown))
        said = comparison.as_dict() if comparison else {"compared": "no baseline of these questions"}
        compared[name] = dg.MetadataValue.json(said)
    return dg.MaterializeResult(
        metadata={**metadata, "seconds": round(time.monotonic() - started, 3)},
        check_results=[
            dg.AssetCheckResult(
                check_name="quality_holds",
                passed=all(comparison is None or comparison.holds for _, comparison in results),
                metadata=compared or {"compared": "no golden questions about pages of this workspace"},
            )
        ],
    )


QUALITY_ASSETS = [retrieval_quality]
