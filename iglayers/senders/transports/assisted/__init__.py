"""A person sends: the engine hands the message over and the outbox shows it as a card. The outbox is not built yet."""
