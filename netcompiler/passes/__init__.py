"""The stages: plan -> plan, one file each. Their order is the one tuple STAGES in compile.py."""
