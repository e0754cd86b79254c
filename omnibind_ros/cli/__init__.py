"""The command line `omnibind`: one small file a command."""
