"""How the student of cameras is trained."""

STUDENT = {
    "widths": (32, 64, 128),
    "stem_stride": 2,
    "samples": 220_000,
    "augment": {
        "rotation": 14,
        "scale": 0.16,
        "stretch": 0.1,
        "shift_x": 0.1,
        "shift_y": 0.1,
        "shear": 0.15,
        "gain": 0.35,
        "offset": 0.35,
        "mask_x": 0.15,
        "mask_y": 0.15,
        "noise": 0.12,
        "fill": None,
    },
}
