"""Makes an input that fails smaller, as long as it still fails (delta debugging, Zeller's ddmin)."""

MOST_QUESTIONS = 3000


def minimised(pieces, fails):
    """The smallest list of pieces found for which `fails` holds; taking any single one away makes it pass."""
    asked = 0
    chunks = 2
    while len(pieces) > 1:
        size = -(-len(pieces) // chunks)
        starts = range(0, len(pieces), size)
        for start in starts:
            fewer = pieces[:start] + pieces[start + size:]
            asked += 1
            if asked > MOST_QUESTIONS:
                return pieces
            if fewer and fails(fewer):
                pieces, chunks = fewer, max(chunks - 1, 2)
                break
        else:
            if size == 1:
                return pieces
            chunks = min(chunks * 2, len(pieces))
    return pieces


def minimised_bytes(body, fails, cuts=()):
    """The same for bytes: by the pieces that each pattern of `cuts` finds, then byte by byte, until nothing changes."""
    def holds(pieces):
        return fails(b"".join(pieces))

    while True:
        before = body
        for cut in cuts:
            body = b"".join(minimised(cut.findall(body), holds)) if body else body
        body = b"".join(minimised([body[at:at + 1] for at in range(len(body))], holds))
        if body == before:
            return body
