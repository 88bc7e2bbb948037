"""Tickets and articles of a Freshdesk account, through its API (https://developers.freshdesk.com/api/)."""
