"""What programs learn of a process while it works: lines of its log as JSON, and traces. No text of pages, no query."""
