"""A Freshdesk that lives in this process: a help desk to change, and an HTTP server that shows it by API v2.

    with FreshdeskServer() as server:
        ticket = server.world.add_ticket("Cannot log in", "The code never arrives.\\n인증번호가 오지 않아요.")
        server.world.reply(ticket, "Please try again now.")
        httpx.get(f"{server.url}/api/v2/tickets/{ticket}", auth=(server.world.key, "X"))

It answers reads only. Limits are off unless a plan is named. Its clock stands still until a test moves it, and what a
minute of limits is goes by that clock. Try it from a shell with `python -m arcana_pipelines.testing.freshdesk_server`.
"""

from arcana_pipelines.testing.freshdesk_server.model import Html
from arcana_pipelines.testing.freshdesk_server.plans import PLANS, Plan
from arcana_pipelines.testing.freshdesk_server.server import FreshdeskServer, LoggedRequest
from arcana_pipelines.testing.freshdesk_server.world import FreshdeskWorld

__all__ = ["PLANS", "FreshdeskServer", "FreshdeskWorld", "Html", "LoggedRequest", "Plan"]
