"""Where rows come from: one file each, with `load(config) -> Source`; the file's name is the source's name."""
