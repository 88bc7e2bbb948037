"""What every implementation of a protocol has to do, as tests to inherit from.

Each class asks for a fixture that opens the implementation; docs/extending.md shows how it is given. pytest is needed.
"""
