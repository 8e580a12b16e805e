"""This project beside other tools, on the same images: `python -m benchmarks.peers`.

plain_keras, fast_ai, lightning_resnet, yolo
             what a person writes with each: training and test score, as its makers show it
definition   the tools: what is installed, where the weights go, what is shown at the end
images       the images as class folders of files, which all of them read
environment  an environment for each, which is none of ours
weights      a digest of a model file's numbers, whose form it knows without loading it
running      what is measured of a tool, each value kept as soon as it is there
table        reports/peers.csv
"""
