"""What becomes of names and values inside one function, as far as its own statements say."""
