"""Using a trained model: images to classes, from the command line and from our server.

images.py      files, folders and globs to pixels, by the rules of the data sets' room
answers.py     probabilities to classes
model.py       a model's file with its classes, of the workspace
engine.py      a model as a function of pixels: ONNX Runtime, or Keras itself
trained.py     where a model and its class names are: workspace, run, registry
registry.py    the best run, registered under the alias `best`
classifier.py  what MLflow loads: encoded images in, classes out
package.py     the folder that MLflow keeps of it

The server, `tools.serve`:

conversion.py  a model's ONNX file, exported or made now, where it agrees with Keras
workers.py     its processes on one socket, each replaced when it dies
worker.py      one of them: engine, application, uvicorn
app.py         the pages, the token, what a refused request is told
connection.py  uvicorn's connection, with a limit on the time of the headers
bodies.py      a request's body to encoded images
classifying.py encoded images to answers; batching.py: many requests' images together
limits.py      what a request may cost
figures.py     what Prometheus reads
"""
