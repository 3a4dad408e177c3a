"""Which functions stand for a use of coordination, and the list of all uses."""
