RIGS = {}
