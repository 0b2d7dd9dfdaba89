#!/usr/bin/env bash
# A click command that has been asked for its help once refuses -h from then on.
#
# Guess:    get_help only reads: whatever context it is given, the command takes the options that
#           its context_settings name, -h and --help.
# Instead:  a command makes its help option once, with the names of the first context that asks, and
#           a context made by hand has --help alone, as context_settings count in make_context only.
#           All later calls in that process answer "No such option '-h'".
# Versions: click 8.5.1.
# Who:      whoever writes a page of all commands, completes, or tests help texts with
#           click.Context(command), as is common: the order of tests decides which of them pass.
# Around:   click.Context(command, **command.context_settings).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check click==8.5.1
venv/bin/python - <<'PY'
import sys
from importlib.metadata import version

import click


def command():
    names = {"help_option_names": ["-h", "--help"]}
    return click.Command("verb", context_settings=names, callback=lambda: "ran")


def told(verb):
    try:
        verb.main(["-h"], standalone_mode=False)
        return "help"
    except click.NoSuchOption as error:
        return error.format_message()


seen = {}
for name, settings in (("nobody asked", None), ("asked", {}), ("asked with its settings", command().context_settings)):
    verb = command()
    if settings is not None:
        verb.get_help(click.Context(verb, **settings))
    seen[name] = told(verb)
    print(f"{name}: {seen[name]}")
print("click", version("click"))
if seen != {"nobody asked": "help", "asked": "No such option '-h'.", "asked with its settings": "help"}:
    sys.exit("The behaviour has changed.")
PY
