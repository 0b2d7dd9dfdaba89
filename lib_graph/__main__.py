"""`python -m lib_graph`: the command, in a form that torchrun can start in several processes."""

from queries.cli.console import run

if __name__ == "__main__":
    run()
