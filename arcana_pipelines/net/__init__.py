"""Requests that we send to servers of others."""
