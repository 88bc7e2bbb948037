"""Conversations: what was asked in them, kept for a while, so that a question may go on from those before."""
