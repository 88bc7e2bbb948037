"""The PostgreSQL that comes with Arcana, and who starts and ends it."""
