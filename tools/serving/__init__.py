"""Using a trained model: images to classes, from the command line and through MLflow's server.

images.py      files, folders and globs to pixels, by the rules of the data sets' room
answers.py     probabilities to classes
asked.py       a model with its reference: is an image like the training ones?
trained.py     where a model and its class names are: workspace, run, registry
registry.py    the best run, registered under the alias `best`
classifier.py  what MLflow loads: encoded images in, classes out
package.py     the folder that MLflow keeps of it
"""
