"""Ranks, units in step and free parameters of a run's network."""
