"""How sparse a run's interactions are, and how well words predict its features, with errors."""
