"""Movable views of questions by Neuroglancer, whose Python package brings its own client and server.

Its server listens on loopback at a port of its own and serves a view to those alone who know its token, which is a part
of its address. Each window of the page has one view, which shows what that window asks about.
"""

from __future__ import annotations

import threading
from collections import OrderedDict

import neuroglancer
import numpy as np
from scipy.spatial.transform import Rotation

from spinome.review.scenes import PLACE, Block, Scene, Surface

LOOPBACK = "127.0.0.1"
# views of so many windows are kept, each with its box
WINDOWS = 6
# a mesh lies in a volume of so few voxels of this edge
SPARSE_NM = 1000
PLACE_NM = 150.0
AXES = ["x", "y", "z"]
# a view fits beside the pictures, and the page says what there is to say about it
PLAIN = (
    *("show_ui_controls", "show_top_bar", "show_location", "show_layer_panel", "show_help_button"),
    *("show_settings_button", "show_layer_side_panel_button", "show_screenshot_button", "show_tool_palette_button"),
    *("show_layer_list_panel_button", "show_selection_panel_button", "show_panel_borders"),
)


class Windows:
    """The view of each window; safe to use from several threads."""

    def __init__(self) -> None:
        neuroglancer.set_server_bind_address(LOOPBACK)
        self._viewers: OrderedDict[str, neuroglancer.Viewer] = OrderedDict()
        self._lock = threading.Lock()
        # the server begins with the first view
        self.origin = "/".join(self._made().get_viewer_url().split("/")[:3])

    def show(self, window: str, scene: Scene) -> str:
        """Let the view of a window show a scene; returns the address of the view, the same each time."""
        with self._lock:
            viewer = self._viewers.pop(window, None) or self._made()
            self._viewers[window] = viewer
            while len(self._viewers) > WINDOWS:
                self._viewers.popitem(last=False)
        viewer.set_state(_state(scene))
        return viewer.get_viewer_url()

    def _made(self) -> neuroglancer.Viewer:
        # a view may not ask for the keys of clouds that this machine has
        viewer = neuroglancer.Viewer(allow_credentials=False)
        with viewer.config_state.txn() as config:
            for name in PLAIN:
                setattr(config, name, False)
        return viewer


class _Mesh(neuroglancer.LocalVolume):
    """A volume without content that has a mesh for each of its numbers."""

    def __init__(self, surface: Surface):
        # positions of meshes count from the first voxel, and floats of 32 bits are exact near it
        self._low = np.floor(surface.place_nm[::-1] / SPARSE_NM) * SPARSE_NM
        self._parts = surface.parts
        space = neuroglancer.CoordinateSpace(names=AXES, units="nm", scales=[SPARSE_NM] * 3)
        offset = (self._low / SPARSE_NM).astype(int)
        super().__init__(np.zeros((1, 1, 1), np.uint8), space, "segmentation", voxel_offset=offset)

    def get_object_mesh(self, object_id: int) -> bytes:
        """The mesh of a part as Neuroglancer reads it: number of vertices, places in m, and faces."""
        vertices, faces = self._parts[object_id - 1]()
        places = ((vertices - self._low) * 1e-9).astype("<f4")
        return np.uint32(len(vertices)).tobytes() + places.tobytes() + faces.astype("<u4").tobytes()


def _state(scene: Scene) -> neuroglancer.ViewerState:
    state = neuroglancer.ViewerState()
    state.show_default_annotations = False
    if isinstance(scene, Block):
        scales = np.array(scene.voxel_nm[::-1])
        space = neuroglancer.CoordinateSpace(names=AXES, units="nm", scales=scales)
        offset = scene.first[::-1]
        grey, numbers = (
            neuroglancer.LocalVolume(array.T, space, kind, voxel_offset=offset)
            for array, kind in ((scene.grey, "image"), (scene.numbers, "segmentation"))
        )
        state.layers["grey values"] = neuroglancer.ImageLayer(source=grey)
        state.layers["objects"] = _segments(numbers, scene.colours)
        state.layout = "xy-3d"
    else:
        assert isinstance(scene, Surface)
        scales = np.ones(3)
        space = neuroglancer.CoordinateSpace(names=AXES, units="nm", scales=scales)
        state.layers["surface"] = _segments(_Mesh(scene), scene.colours)
        # balls, which stick out of the surface where a point would be hidden in it
        balls = [
            neuroglancer.EllipsoidAnnotation(id=f"place {number}", center=mark[::-1], radii=[PLACE_NM] * 3)
            for number, mark in enumerate(scene.marks_nm)
        ]
        state.layers["place"] = neuroglancer.LocalAnnotationLayer(
            dimensions=space, annotations=balls, annotation_color=PLACE
        )
        right, up, toward = scene.axes
        # Neuroglancer's axes go right, down and away from the viewer
        state.projection_orientation = Rotation.from_matrix(np.stack([right, -up, -toward], axis=1)).as_quat()
        state.layout = "3d"
        state.show_slices = False
    state.dimensions = space
    state.position = scene.place_nm[::-1] / scales
    # of a canonical voxel, which is the smallest edge
    state.cross_section_scale = scene.width_nm / scales.min() / 400
    state.projection_scale = scene.width_nm / scales.min() * 2
    return state


def _segments(source: neuroglancer.LocalVolume, colours: tuple[str, ...]) -> neuroglancer.SegmentationLayer:
    numbers = range(1, len(colours) + 1)
    return neuroglancer.SegmentationLayer(
        source=source, segments=list(numbers), segment_colors=dict(zip(numbers, colours)), selected_alpha=0.35
    )
