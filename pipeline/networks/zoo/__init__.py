"""The networks, a file a network or a family. A new file is found by itself.

Sources, as the table of published rows names them: the course notes' tuning log
(two_block_cnn), KISTI's lecture 14 (double_conv_cnn), the day-7 notes
(three_block_cnn), the course notes on Fashion-MNIST (fashion_*), the PyTorch
notes on MNIST (mnist_*). Where a source gives no figure (the optimizer of the
course notes, everything of tiny_cnn), Keras' default stands: adam at 1e-3.
"""

import importlib
import pkgutil

for _found in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_found.name}")
