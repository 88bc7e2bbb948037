"""The provider OpenAI, and others that speak like it."""
