"""Draws loss.csv as loss_curve.svg, with nothing but the standard library.

usage: plot_loss.py RUN/loss.csv [...]
The given logs are joined by step into the committed loss.csv (a later log wins, which is how a resumed run replaces what it redid).
"""

import csv
import math
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
HEAD = ["step", "tokens", "seconds", "train_loss", "valid_loss"]
W, H, LEFT, BOTTOM, TOP, RIGHT = 720, 380, 60, 50, 40, 20


def read(paths):
    """Rows of all logs by step; a log that starts again at a step drops the earlier log's rows from there on."""
    rows = {}
    for path in paths:
        with open(path, newline="") as f:
            new = {int(r[0]): r + [""] * (5 - len(r)) for r in csv.reader(f) if r and r[0].isdigit()}
        rows = {k: v for k, v in rows.items() if k < min(new)} | new
    return [rows[k] for k in sorted(rows)]


def line(points, colour):
    """One polyline."""
    return f'<polyline fill="none" stroke="{colour}" stroke-width="1.6" points="' + " ".join(f"{x:.1f},{y:.1f}" for x, y in points) + '"/>'


def draw(rows):
    """The SVG text: loss on a logarithmic axis against training tokens."""
    last = max(int(r[1]) for r in rows)
    values = [float(r[c]) for r in rows for c in (3, 4) if r[c]]
    low, high = math.log(min(values) * 0.95), math.log(max(values) * 1.05)
    x = lambda t: LEFT + (W - LEFT - RIGHT) * int(t) / last
    y = lambda v: TOP + (H - TOP - BOTTOM) * (high - math.log(float(v))) / (high - low)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{W}" height="{H}" viewBox="0 0 {W} {H}" font-family="sans-serif" font-size="12">',
           f'<rect width="{W}" height="{H}" fill="white"/>', f'<text x="{LEFT}" y="22" font-size="14">Loss per weighted token (log scale) against training tokens</text>']
    for v in (0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1, 1.5, 2, 3, 4, 6, 8):
        if low <= math.log(v) <= high:
            out.append(f'<line x1="{LEFT}" x2="{W - RIGHT}" y1="{y(v):.1f}" y2="{y(v):.1f}" stroke="#ddd"/><text x="{LEFT - 8}" y="{y(v) + 4:.1f}" text-anchor="end">{v}</text>')
    step = 10 ** math.floor(math.log10(last))
    step = step if last / step >= 4 else step // 2 if last / step >= 2 else step // 5
    for t in range(0, last + 1, step):
        out.append(f'<text x="{x(t):.1f}" y="{H - BOTTOM + 20}" text-anchor="middle">{t / 1e6:g}M</text>')
    out.append(line([(x(r[1]), y(r[3])) for r in rows], "#7aa6d8"))
    out.append(line([(x(r[1]), y(r[4])) for r in rows if r[4]], "#c0392b"))
    out.append(f'<text x="{W - 210}" y="{TOP + 20}" fill="#3a76b8">training (mean of 25 steps)</text><text x="{W - 210}" y="{TOP + 38}" fill="#c0392b">validation</text></svg>\n')
    return "\n".join(out)


def main():
    rows = read(sys.argv[1:])
    with open(os.path.join(HERE, "loss.csv"), "w", newline="") as f:
        csv.writer(f).writerows([HEAD] + rows)
    with open(os.path.join(HERE, "loss_curve.svg"), "w", encoding="utf-8") as f:
        f.write(draw(rows))


if __name__ == "__main__":
    main()
