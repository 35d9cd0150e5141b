"""Moved to compilation.py, whose function is netcompiler.compile: a module of that name would hide it. To be removed."""

from netcompiler.compilation import STAGES, Job, compile, stages

__all__ = ["STAGES", "Job", "compile", "stages"]
