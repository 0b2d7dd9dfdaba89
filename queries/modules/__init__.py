"""Communities of features, and how modular a graph is."""
