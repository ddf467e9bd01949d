"""In: a recipe. Out: its lock, every range and name turned into exact bytes."""
