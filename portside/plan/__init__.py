"""In: a recipe and its lock. Out: every layer's parts and keys, and what the store has of them."""
