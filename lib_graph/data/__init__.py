"""What a network runs on, and how people write it."""
