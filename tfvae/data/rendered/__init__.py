"""Images of ten classes of objects, rendered by Blender, with the pose of each: the world that a DRMM is analysed with."""
