"""Run once by the service `migrate`: Dagster's schema, its tables, and `dagster.yaml` where it is missing.

Leave DAGSTER_HOME unset: a home that is set counts as somebody's own instance, and no file is written there.
"""

from arcana_pipelines.db.engine import Database
from arcana_pipelines.defs.instance import open_instance
from arcana_pipelines.settings import load_settings

if __name__ == "__main__":
    with open_instance(Database(load_settings())) as instance:
        instance.upgrade(print)
        print(f"Dagster's instance is ready in {instance.root_directory}")
