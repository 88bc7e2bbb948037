"""How the messages of a ticket are named in its document."""

from __future__ import annotations

# The heading of an agent's public message begins with it, whatever the language of the ticket.
BY_AGENT = "Agent"
