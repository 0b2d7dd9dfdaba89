"""Runs side by side, and beside what was published."""
