"""Message texts with named variables. Owns message_templates; `render` is the product's one renderer."""
