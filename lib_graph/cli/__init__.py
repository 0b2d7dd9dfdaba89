"""The verbs of this package, and what all verbs share."""
