"""The audit log: who changed what may be seen or reached, in a chain that shows where a row was changed."""
