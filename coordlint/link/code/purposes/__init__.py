"""What the calls of stores and coordinators are used for, judged together."""
