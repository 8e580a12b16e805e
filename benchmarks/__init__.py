"""The benchmark: pairs of processes measured side by side, A B A B.

definition   experiments/benchmark.yaml, read and checked
workspace    clones of the commit in which the processes run
measuring    one process: its wall time, its epochs, its memory
journal      what was measured, safe against a kill
running      what is missing, in order
summary      medians, spreads, and ratios round by round
table        the same to read, and as JSON
machine      what all this was measured on
page         what was measured, into a page
growth       seconds and memory of every stage as images, pixels, classes, parameters grow
curves       their exponents, as a table and a picture; synthetic draws the images
peers/       this project beside other tools
plain/       what the pipeline is measured against
"""
