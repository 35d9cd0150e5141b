"""From a recipe's `data` to batches: sources, each in a file of its kind, then fit.py, order.py and feeder.py."""
