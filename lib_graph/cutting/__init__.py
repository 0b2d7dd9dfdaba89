"""From a module to a chain of sections."""
