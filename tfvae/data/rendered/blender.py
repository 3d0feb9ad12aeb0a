"""Scenes -> gray images, by Blender's path tracer as a Python module (`bpy`, the extra `render`)."""

import contextlib
import importlib.metadata
import importlib.util
import math
import os
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

SIDE = 32
# Rays a pixel: with more the pictures look alike.
_SAMPLES = 16
_DISTANCE = 4.6
# From where the object is seen at slant 0: between from its side and from its front, a little from above.
_YAW, _ELEVATION = 35.0, 12.0


def require():
    """Checks that Blender is installed.

    Raises:
        ValueError: where it is not.
    """
    if importlib.util.find_spec("bpy") is None:
        raise ValueError(
            "Rendering needs Blender as a Python module, which is not here: install the extra `render`, "
            '`pip install "tfvae[render]"`. Each release of `bpy` is for one version of Python.'
        )


def version():
    """Blender's version: another one may render other pixels."""
    # `bpy` itself is not imported to be asked: it changes `sys.path`, and processes that are spawned inherit that.
    return importlib.metadata.version("bpy")


class Studio:
    """Camera, sun and background; objects come and go.

    Args:
        side: of the images, in pixels.

    Raises:
        ValueError: where Blender is not installed.
    """

    def __init__(self, side=SIDE):
        require()
        import bpy

        self._bpy = bpy
        bpy.ops.wm.read_factory_settings(use_empty=True)
        self.scene, self._meshes = bpy.context.scene, {}
        self._set_up(side)

    def render(self, scene):
        """uint8 [side, side, 1] of a `tfvae.data.rendered.scenes.Scene`; equal scenes give equal images."""
        from mathutils import Euler, Matrix

        bpy, factors = self._bpy, scene.factors
        self._sky.default_value = (scene.background,) * 3 + (1.0,)
        self._sun.rotation_euler = Euler([math.radians(90.0 - scene.light[1]), 0.0, math.radians(scene.light[0])])
        # The camera looks along +y: x to the right, z upwards in the picture.
        pose = (
            Matrix.Translation((factors["x"], factors["depth"], factors["y"]))
            @ Matrix.Rotation(math.radians(_ELEVATION + factors["tilt"]), 4, "X")
            @ Matrix.Rotation(math.radians(_YAW + factors["slant"]) - math.pi, 4, "Z")
        )
        placed = [self._placed(part, pose, scene.shade) for part in scene.parts]
        try:
            return self._picture()
        finally:
            for part in placed:
                bpy.data.objects.remove(part)

    def _set_up(self, side):
        bpy, scene = self._bpy, self.scene
        scene.render.engine = "CYCLES"
        scene.cycles.device, scene.cycles.samples, scene.cycles.seed = "CPU", _SAMPLES, 0
        scene.cycles.use_denoising, scene.cycles.use_adaptive_sampling, scene.cycles.max_bounces = False, False, 2
        scene.render.threads_mode, scene.render.threads = "FIXED", 1  # Images are shared out, not pixels.
        scene.render.resolution_x = scene.render.resolution_y = side
        scene.render.resolution_percentage = 100
        scene.render.image_settings.file_format, scene.render.image_settings.color_mode = "PNG", "BW"
        scene.view_settings.view_transform = "Standard"
        camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
        camera.location, camera.rotation_euler = (0.0, -_DISTANCE, 0.0), (math.pi / 2, 0.0, 0.0)
        sun = bpy.data.objects.new("sun", bpy.data.lights.new("sun", "SUN"))
        sun.data.energy, sun.data.angle = 3.0, math.radians(10.0)
        for thing in (camera, sun):
            scene.collection.objects.link(thing)
        scene.camera, self._sun = camera, sun
        scene.world = bpy.data.worlds.new("world")
        scene.world.use_nodes = True
        self._sky = scene.world.node_tree.nodes["Background"].inputs["Color"]

    def _placed(self, part, pose, shade):
        """A new object of the scene for a `Primitive`."""
        from mathutils import Matrix, Vector

        placed = self._bpy.data.objects.new(part.kind, self._mesh(part.kind))
        turned = Vector((0.0, 0.0, 1.0)).rotation_difference(Vector(part.along)).to_matrix().to_4x4()
        placed.matrix_world = pose @ Matrix.Translation(part.centre) @ turned @ Matrix.Diagonal((*part.size, 1.0))
        placed.color = (min(shade * part.shade, 1.0),) * 3 + (1.0,)
        self.scene.collection.objects.link(placed)
        return placed

    def _mesh(self, kind):
        """The mesh that all primitives of a kind share; its gray level is that of the object that has it."""
        if kind not in self._meshes:
            import bmesh

            mesh, shape = self._bpy.data.meshes.new(kind), bmesh.new()
            if kind == "box":
                bmesh.ops.create_cube(shape, size=1.0)
            elif kind == "ball":
                bmesh.ops.create_uvsphere(shape, u_segments=24, v_segments=12, radius=0.5)
            else:
                upper = {"cylinder": 0.5, "cone": 0.02}[kind]
                bmesh.ops.create_cone(
                    shape, cap_ends=True, segments=20, radius1=0.5, radius2=upper, depth=1.0
                )  # fmt: skip
            shape.to_mesh(mesh)
            shape.free()
            mesh.materials.append(self._material())
            self._meshes[kind] = mesh
        return self._meshes[kind]

    def _material(self):
        if "gray" not in self._bpy.data.materials:
            material = self._bpy.data.materials.new("gray")
            material.use_nodes = True
            nodes = material.node_tree.nodes
            nodes["Principled BSDF"].inputs["Roughness"].default_value = 0.8
            colour = nodes.new("ShaderNodeObjectInfo").outputs["Color"]
            material.node_tree.links.new(colour, nodes["Principled BSDF"].inputs["Base Color"])
        return self._bpy.data.materials["gray"]

    def _picture(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "image.png"
            self.scene.render.filepath = str(path)
            with _quiet():
                self._bpy.ops.render.render(write_still=True)
            return np.asarray(Image.open(path).convert("L"))[..., None]


@contextlib.contextmanager
def _quiet():
    """Blender writes a line an image to the file descriptor of standard output."""
    kept, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 1)
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)
