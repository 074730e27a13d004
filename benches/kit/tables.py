"""Figures as text: medians, ratios within a round, aligned Markdown."""

import statistics


def median(values):
    values = [value for value in values if value is not None]
    return statistics.median(values) if values else None


def spread(values):
    """Median, least, most."""
    values = [value for value in values if value is not None]
    return {"median": median(values), "least": min(values), "most": max(values)} if values else None


def ratios(rows, others):
    """Round by round, one by the other; rounds in which one of them is missing are left out."""
    return [mine / theirs for mine, theirs in zip(rows, others) if mine is not None and theirs]


def number(value, digits=3):
    """Three digits that count."""
    if value is None:
        return "-"
    if value == 0:
        return "0"
    if abs(value) >= 10 ** (digits - 1):
        return f"{value:,.0f}"
    places = digits - 1
    size = abs(value)
    while size >= 10 and places > 0:
        size, places = size / 10, places - 1
    return f"{value:.{places}f}"


def ratio(found):
    """`1.23 (1.19..1.30)`."""
    if not found:
        return "-"
    return f"{found['median']:.2f} ({found['least']:.2f}..{found['most']:.2f})"


def markdown(head, rows):
    """An aligned Markdown table."""
    rows = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[at]) for row in [head, *rows]) for at in range(len(head))]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |" for row in [head, *rows]]
    lines.insert(1, "| " + " | ".join("-" * width for width in widths) + " |")
    return "\n".join(lines)
