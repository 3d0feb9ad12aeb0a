"""Tables and figures of the sources, made anew beside their numbers."""
