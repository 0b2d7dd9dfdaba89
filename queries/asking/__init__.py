"""From a person's words to rows."""
