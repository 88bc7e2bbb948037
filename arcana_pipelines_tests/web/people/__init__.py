"""The page for people, over real HTTP and in a browser."""
