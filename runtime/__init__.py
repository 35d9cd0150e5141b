"""The runtime: a plan -> numbers. Of the compiler it knows the plan, the scalar language and the recipe, nothing else."""
