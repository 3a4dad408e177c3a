"""What an understood call means: its operation, key, lock and times, and the steps that a walk leaves of it."""
