"""The command `arcana`."""
