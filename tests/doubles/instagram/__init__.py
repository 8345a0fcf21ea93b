"""A local double of the official Instagram API, run as a process of its own: `python -m tests.doubles.instagram`.

It speaks the documented wire and shares no code with the product. `world.py` is what exists, `graph.py` the API,
`webhooks.py` what it tells the app, `control.py` the verbs below /_control/ that move people, time and faults.
"""
