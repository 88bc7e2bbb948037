"""Texts into vectors: providers, the catalogue of their models, prices, budgets, and what was embedded before."""
