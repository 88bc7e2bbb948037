"""Summaries of tickets: symptom, cause and resolution, by a chat model, where one is set."""
