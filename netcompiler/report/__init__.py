"""What netc prints about a net: tables, totals, explanations, JSON. Pure functions from a graph to text."""
