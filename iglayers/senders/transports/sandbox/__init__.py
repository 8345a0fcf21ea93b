"""A simulated Instagram for test workspaces, with a log of its own that is the judge of what was really sent.

Owns sandbox_messages, sandbox_plans, sandbox_faults, on its own connections. The same people do the same things on
every run; the magic usernames stand in `behaviour.py`.
"""
