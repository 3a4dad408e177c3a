"""What an expression can be, across files, on demand and symbolically. Nothing of the project is run."""
