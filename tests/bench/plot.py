"""Plots of how something grows, as SVG files that need nothing else."""
import math
import os

COLOURS = ['#c33', '#36c', '#393', '#963']
LEFT, TOP, RIGHT, BOTTOM = 70, 50, 570, 330


def plot(folder, name, title, points, xlabel, ylabel):
    """Writes folder/name.svg, unless there is no folder. points: {series: [(x, y)]}; both axes are logarithmic,
    so that what grows linearly is a straight line at 45 degrees."""
    if not folder:
        return
    os.makedirs(folder, exist_ok=True)
    flat = [point for series in points.values() for point in series]
    xs, ys = [math.log10(x) for x, _ in flat], [math.log10(y) for _, y in flat]
    x0, x1, y0, y1 = math.floor(min(xs)), math.ceil(max(xs)), math.floor(min(ys)), math.ceil(max(ys))

    def place_x(x):
        return LEFT + (RIGHT - LEFT) * (math.log10(x) - x0) / max(x1 - x0, 1)

    def place_y(y):
        return BOTTOM - (BOTTOM - TOP) * (math.log10(y) - y0) / max(y1 - y0, 1)

    out = ['<svg xmlns="http://www.w3.org/2000/svg" width="700" height="400" font-family="sans-serif" font-size="12">',
           '<rect width="100%" height="100%" fill="white"/>', f'<text x="70" y="25" font-size="14">{title}</text>']
    for e in range(x0, x1 + 1):
        at = place_x(10**e)
        out.append(f'<path d="M{at:.0f} {TOP}V{BOTTOM}" stroke="#ddd"/><text x="{at - 10:.0f}" y="350">10^{e}</text>')
    for e in range(y0, y1 + 1):
        at = place_y(10**e)
        out.append(f'<path d="M{LEFT} {at:.0f}H{RIGHT}" stroke="#ddd"/><text x="25" y="{at + 4:.0f}">10^{e}</text>')
    for i, (series_name, series) in enumerate(points.items()):
        colour = COLOURS[i % len(COLOURS)]
        path = ' '.join(f'{place_x(x):.1f},{place_y(y):.1f}' for x, y in series)
        out.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        out.append(f'<text x="580" y="{place_y(series[-1][1]) + 4:.0f}" fill="{colour}">{series_name}</text>')
    out.append(f'<text x="280" y="385">{xlabel}</text><text x="15" y="45">{ylabel}</text></svg>')
    with open(os.path.join(folder, f'{name}.svg'), 'w', encoding='ascii') as file:
        file.write('\n'.join(out) + '\n')
