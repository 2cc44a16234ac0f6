"""The loss: a mean over rows, its likelihood, and checks that it is such a mean and its gradient its own."""
