"""`python -m lib_graph`: the command, in a form that torchrun can start in several processes."""

from queries.cli.main import main

if __name__ == "__main__":
    main()
