"""In: a plan. Out: every locked input in the store, verified."""
