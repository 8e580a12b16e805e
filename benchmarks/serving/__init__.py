"""`python -m benchmarks.serving`: our server beside `mlflow models serve`, by a public tool.

__main__.py  the measurements and their table
servers.py   both servers, started and ended
load.py      wrk, with request.lua
hostile.py   clients that no server wants
"""
