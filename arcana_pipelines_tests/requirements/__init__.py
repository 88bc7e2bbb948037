"""What is required of an installation that serves companies, by the names of docs/testing.md: R1 to R5, and R9."""
