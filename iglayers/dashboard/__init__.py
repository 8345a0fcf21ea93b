"""What a person does in a browser: pages rendered here, sessions, the files that they load.

Owns no table. A handler reads through the slices' queries and changes through their actions, as a route of the API
does; `docs/dashboard.md` says how a page is built.
"""
