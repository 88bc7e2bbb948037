"""Dagster's definitions: assets, jobs, schedules, sensors, checks. They translate, and the work is done elsewhere."""
