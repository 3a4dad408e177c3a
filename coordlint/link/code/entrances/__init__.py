"""What something outside of the project calls or starts."""
