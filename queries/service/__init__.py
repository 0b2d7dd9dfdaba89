"""`lib-graph serve`: what the command line answers, as JSON under /api/v1, and a page."""
