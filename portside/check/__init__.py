"""In: a built plan. Out: what testinfra finds in a container of each layer."""
