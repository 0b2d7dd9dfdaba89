"""Answers as notebooks show them: tables with bars, circuits as pictures, the page of a run."""
