"""What a trained network looks at: its feature maps, Grad-CAM, and where it is most wrong."""

from stages.explain.cam import grad_cam
from stages.explain.explanations import write_explanations
from stages.explain.maps import activations
from stages.explain.mistakes import worst_mistakes

__all__ = ["activations", "grad_cam", "worst_mistakes", "write_explanations"]
