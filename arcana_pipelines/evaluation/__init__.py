"""How well an index answers: golden questions, measures, comparisons."""
