"""Paths and circuits: found, grown, saved, compared."""
