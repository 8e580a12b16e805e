"""A trained model for other programs: files that need nothing of ours.

source.py       the model of the workspace or of a run, with what is known of it
graph.py        the Keras model that is exported: float32, raw pixels in, all classes out
to_onnx.py, to_litert.py, to_openvino.py, to_saved_model.py, to_html.py    a format each
quantized.py    ONNX in 8 bits, and with weights in 16
npm.py          ONNX Runtime for browsers, through the npm client
formats.py      the formats by name
runtimes.py     exported files to probabilities, without Keras
checking.py     what a file has to give before it is kept
description.py  model.json
writing.py      all of it into exports/<run>/
found.py        the exported file of a model, for `tools.predict`
card.py         model_card.md
page.py, browser/     what the HTML file and the JavaScript snippet are made of
snippets/       a program in Python that stands beside the files
"""
