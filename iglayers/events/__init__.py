"""The log of what happened, written in the transaction of each change, and the webhooks that tell others of it.

Owns events, webhook_endpoints, deliveries, delivery_attempts. At least once: an event is never lost, its id
never changes, and a receiver may see it twice.
"""
