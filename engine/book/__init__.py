"""The rule book: everything that a pack says, for people to read, compare and sign off."""
