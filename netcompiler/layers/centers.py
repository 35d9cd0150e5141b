"""Sets of centers that `rbf` knows by name."""

from __future__ import annotations

# The ten classes as stylised digits, seven cells wide and twelve high, after figure 3 of LeCun et al. 1998: 0 to 4, then 5 to 9.
# Redrawn, not copied cell by cell: single cells may differ from the figure. X is ink and 1, paper is -1, as in the article.
LENET_DIGITS = """
    .......  ...XX..  .XXXXX.  .XXXXX.  XX...XX
    ..XXX..  ..XXX..  XX...XX  XX...XX  XX...XX
    .XX.XX.  .XXXX..  XX...XX  .....XX  XX...XX
    XX...XX  ...XX..  .....XX  .....XX  XX...XX
    XX...XX  ...XX..  ....XX.  .....XX  XX...XX
    XX...XX  ...XX..  ..XXX..  ..XXXX.  XX...XX
    XX...XX  ...XX..  .XX....  .....XX  .XXXXXX
    XX...XX  ...XX..  XX.....  .....XX  .....XX
    XX...XX  ...XX..  XX.....  .....XX  .....XX
    .XX.XX.  ...XX..  XXXXXXX  XX...XX  .....XX
    ..XXX..  .XXXXXX  XXXXXXX  .XXXXX.  .....XX
    .......  .......  .......  .......  .......

    XXXXXXX  ..XXXX.  XXXXXXX  .XXXXX.  .XXXXX.
    XX.....  .XX....  .....XX  XX...XX  XX...XX
    XX.....  XX.....  .....XX  XX...XX  XX...XX
    XX.....  XX.....  ....XX.  XX...XX  XX...XX
    XXXXXX.  XXXXXX.  ....XX.  .XX.XX.  XX...XX
    .....XX  XX...XX  ...XX..  .XXXXX.  XX...XX
    .....XX  XX...XX  ...XX..  XX...XX  .XXXXXX
    .....XX  XX...XX  ..XX...  XX...XX  .....XX
    .....XX  XX...XX  ..XX...  XX...XX  .....XX
    XX...XX  XX...XX  .XX....  XX...XX  ....XX.
    .XXXXX.  .XXXXX.  .XX....  .XXXXX.  .XXXX..
    .......  .......  .......  .......  .......
"""


def _pictures(text: str, height: int) -> tuple[tuple[float, ...], ...]:
    """Pictures side by side, row by row; a band of `height` lines after the other."""
    lines = [line.split() for line in text.split("\n") if line]
    bands = [lines[begin : begin + height] for begin in range(0, len(lines), height)]
    pictures = ["".join(rows) for band in bands for rows in zip(*band, strict=True)]
    return tuple(tuple(1.0 if cell == "X" else -1.0 for cell in picture) for picture in pictures)


CENTERS = {"lenet-digits": _pictures(LENET_DIGITS, 12)}
"""Name -> a vector for each class."""
