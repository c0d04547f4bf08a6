"""The nouns: frozen, slotted, and of the standard library only."""
