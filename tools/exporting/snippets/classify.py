"""Name the class of images with an exported model.

    pip install onnxruntime pillow numpy
    python classify.py photo.jpg other.png
    python classify.py --model model.tflite photo.jpg

Needs Pillow, NumPy and the file's runtime: onnxruntime for .onnx, ai-edge-litert for
.tflite, openvino for .xml. model.json stands beside the file and says the rest.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps


def read(path: str, description: dict) -> np.ndarray:
    """An image file as the model was trained on them: uint8 (1, height, width, channels)."""
    taken, resize = description["input"], description["resize"]
    height, width, channels = taken["height"], taken["width"], taken["channels"]
    image = ImageOps.exif_transpose(Image.open(path))
    if image.mode.startswith("I"):  # 16 bits: the upper eight
        image = Image.fromarray((np.asarray(image) >> 8).astype("uint8"))
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    image = fit(image.convert("L" if channels == 1 else "RGB"), height, width, resize)
    return np.asarray(image).reshape(1, height, width, channels)


def fit(image: Image.Image, height: int, width: int, resize: dict) -> Image.Image:
    """The image at height × width, by the rule that model.json names."""
    bilinear, (wide, high) = Image.Resampling.BILINEAR, image.size
    if (wide, high) == (width, height):
        return image
    if resize["method"] == "crop":
        scale = max(width / wide, height / high) / resize["share"]
        kept = width / scale, height / scale
        left, top = (wide - kept[0]) / 2, (high - kept[1]) / 2
        return image.resize((width, height), bilinear, (left, top, left + kept[0], top + kept[1]))
    if resize["method"] == "pad":
        scale = min(width / wide, height / high)
        fitted = image.resize((round(wide * scale), round(high * scale)), bilinear)
        grey = resize["grey"]
        ground = Image.new(image.mode, (width, height), grey if image.mode == "L" else (grey,) * 3)
        ground.paste(fitted, ((width - fitted.width) // 2, (height - fitted.height) // 2))
        return ground
    if resize["method"] != "stretch":
        raise SystemExit(f"resize: {resize['method']}: unknown; use a newer classify.py")
    return image.resize((width, height), bilinear)


def opened(path: Path) -> Callable[[np.ndarray], np.ndarray]:
    """A function from pixels, uint8 (n, height, width, channels), to float32 (n, classes)."""
    if path.suffix == ".onnx":
        import onnxruntime

        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        return lambda pixels: session.run(["probabilities"], {"pixels": pixels})[0]
    if path.suffix == ".tflite":
        from ai_edge_litert.interpreter import Interpreter

        interpreter = Interpreter(model_path=str(path))
        taken = interpreter.get_input_details()[0]["index"]
        given = interpreter.get_output_details()[0]["index"]

        def answer(pixels: np.ndarray) -> np.ndarray:
            interpreter.resize_tensor_input(taken, pixels.shape)
            interpreter.allocate_tensors()
            interpreter.set_tensor(taken, pixels)
            interpreter.invoke()
            return interpreter.get_tensor(given)

        return answer
    if path.suffix == ".xml":
        import openvino

        # By itself OpenVINO computes in bfloat16 where the processor can.
        exact = {"INFERENCE_PRECISION_HINT": "f32"}
        compiled = openvino.Core().compile_model(str(path), "CPU", exact)
        return lambda pixels: compiled(pixels)[compiled.output(0)]
    raise SystemExit(f"{path}: expected a file that ends in .onnx, .tflite or .xml")


def main() -> None:
    here = Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(description="Name the class of images.")
    parser.add_argument("images", nargs="+")
    parser.add_argument("--model", type=Path, help="the model's file (default: beside this one)")
    given = parser.parse_args()
    beside = (here / name for name in ("model.onnx", "model.tflite", "model.xml"))
    path = given.model or next((path for path in beside if path.exists()), None)
    if path is None:
        raise SystemExit(f"{here}: no model.onnx, model.tflite or model.xml")
    description = json.loads((path.parent / "model.json").read_text(encoding="utf-8"))
    answer = opened(path)
    for image in given.images:
        probabilities = answer(read(image, description))[0]
        best = int(probabilities.argmax())
        print(f"{image}: {description['classes'][best]} {probabilities[best]:.4f}")


if __name__ == "__main__":
    main()
