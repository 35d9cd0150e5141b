"""The primitives that plans are made of. Importing this package fills OPS."""

from netcompiler.instructions import form, packing, pointwise, product, reduction, sampling, window
from netcompiler.instructions.op import OPS, Op, flops, traffic

__all__ = ["OPS", "Op", "flops", "form", "packing", "pointwise", "product", "reduction", "sampling", "traffic", "window"]
