"""Stand-ins, fixtures and conformance suites, for our tests and for those of users."""
