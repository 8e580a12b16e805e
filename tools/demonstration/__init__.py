"""`make demo`: a page on which a photograph is dropped, and models say what it is.

models.py    an image file to probabilities and Grad-CAM
examples.py  some images of the test part
page.py      the page, of gradio's parts
quiet.py     what has to be said before gradio is imported
site.py      what answers the browser, and keeps it from asking anybody else
"""
