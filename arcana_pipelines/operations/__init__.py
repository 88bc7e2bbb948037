"""What keeps an installation watched."""
