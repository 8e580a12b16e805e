"""What a trained network looks at: its feature maps, Grad-CAM, and where it is most wrong."""

from pipeline.explain.cam import grad_cam
from pipeline.explain.explanations import write_explanations
from pipeline.explain.maps import activations
from pipeline.explain.mistakes import worst_mistakes

__all__ = ["activations", "grad_cam", "worst_mistakes", "write_explanations"]
