"""As Ultralytics' page 'Image classification' trains from a .yaml: YOLO26n-cls, its defaults."""

import sys
from pathlib import Path

from ultralytics import YOLO

if __name__ == "__main__":
    data, size, epochs = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    last = Path("runs/train/weights/last.pt").resolve()
    model = YOLO(last if last.exists() else "yolo26n-cls.yaml")
    model.train(
        data=data,
        imgsz=size,
        epochs=epochs,
        fliplr=0.5 if size > 32 else 0.0,
        project=str(Path("runs").resolve()),
        resume=last.exists(),
    )
    print(f"accuracy {model.val(split='test').top1:.4f}")
