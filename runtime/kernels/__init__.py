"""The kernels of each target: one package a target, one function an instruction, the same names and signatures in all.

    op(results..., operands..., *, attributes...)

A kernel reads its operands and writes into its results, which exist already and may be views; it returns nothing.
numpy/ says what each instruction means; start there.
"""
