"""Local learning coefficients of neural networks, over whole parameter grids."""

__version__ = "0.1.0"
