"""The command line, one file a group of commands: opens the installation, calls an action or a query, prints.

No rule and no SQL. `serve` starts the processes of one machine; `api` and `worker` are such processes.
"""
