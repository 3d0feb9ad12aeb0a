"""Images of ten classes of objects, rendered by Blender, with the pose of each: a world to analyse a DRMM with."""
