"""Commands that measure and soak the engines; random policies for them."""
