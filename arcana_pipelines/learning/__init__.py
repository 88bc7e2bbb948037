"""What is learned from use: which questions have no answer, which chunks help, which pages are stale, what is well."""
