"""From a network and data to a run folder."""
