"""The command, and the verbs that ask."""
