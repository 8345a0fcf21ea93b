"""Instagram accounts that messages go out from: routes, limits, health, conversations, what came in.

Owns senders, sender_credentials, conversations, inbound. How a message leaves is in `transports/`, a folder each.
"""
