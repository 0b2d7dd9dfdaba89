"""Answers as tables for a person."""
