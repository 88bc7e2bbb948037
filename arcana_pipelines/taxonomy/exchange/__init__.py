"""A taxonomy as others write it: CSV, JSON, SKOS in Turtle, lists of paths, pages and databases of Notion.

Each reader makes `rows.Row`s of what it reads, and `rows.assemble` makes of them what a draft is made of. Nothing here
decides what is the same node as before: `taxonomy.tree` does.
"""
