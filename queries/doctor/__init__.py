"""What a store and this machine can do for lib-graph, and what is missing of it."""
