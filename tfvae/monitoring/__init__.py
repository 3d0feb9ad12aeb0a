"""Whether new images, or a new version, differ from what was served before."""
