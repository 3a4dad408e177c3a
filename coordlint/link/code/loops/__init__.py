"""Loops by what they mean: kept up, tried again, rushing, won by compare-and-swap."""
