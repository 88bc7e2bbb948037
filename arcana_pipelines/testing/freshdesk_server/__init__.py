"""A Freshdesk that lives in this process: a help desk to change, and an HTTP server that shows it by API v2.

    with FreshdeskServer() as server:
        ticket = server.world.add_ticket("Cannot log in", "The code never arrives.\\n인증번호가 오지 않아요.")
        server.world.reply(ticket, "Please try again now.")
        httpx.get(f"{server.url}/api/v2/tickets/{ticket}", auth=(server.world.key, "X"))

`seed_world` makes a help desk in use, `add_hostile` adds tickets that want to break their reader, `expectations` says
what an index must hold of a world, and `WebhookSender` announces what happens in it.

It answers reads only. Limits are off unless a plan is named. Its clock stands still until a test moves it, and what a
minute of limits is goes by that clock. Try it from a shell with `python -m arcana_pipelines.testing.freshdesk_server`.
"""

from arcana_pipelines.testing.freshdesk_server.hostile import add_hostile
from arcana_pipelines.testing.freshdesk_server.model import Html
from arcana_pipelines.testing.freshdesk_server.oracle import Expected, expectations, problems_of
from arcana_pipelines.testing.freshdesk_server.plans import PLANS, Plan
from arcana_pipelines.testing.freshdesk_server.seeding import seed_world
from arcana_pipelines.testing.freshdesk_server.server import FreshdeskServer, LoggedRequest
from arcana_pipelines.testing.freshdesk_server.webhooks import WebhookSender
from arcana_pipelines.testing.freshdesk_server.world import FreshdeskWorld

__all__ = [
    "PLANS",
    "Expected",
    "FreshdeskServer",
    "FreshdeskWorld",
    "Html",
    "LoggedRequest",
    "Plan",
    "WebhookSender",
    "add_hostile",
    "expectations",
    "problems_of",
    "seed_world",
]
