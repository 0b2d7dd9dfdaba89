"""`python -m lib_graph`: the command, in a form that torchrun can start in several processes."""

from lib_graph.cli.commands import main

if __name__ == "__main__":
    main()
