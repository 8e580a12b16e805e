"""Plain Keras scripts, as one would write them without the pipeline. They import none of it."""
