"""Tests of the source that reads Freshdesk, over HTTP against the stand-in."""
