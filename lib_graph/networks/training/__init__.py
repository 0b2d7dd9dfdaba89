"""Training of the networks that the examples use, each in a module of its own."""
