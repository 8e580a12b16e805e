"""All experiments compared, and shown in one HTML file.

together.py   what differs between the runs
chance.py     McNemar's test
page.py       the HTML file; page/ has its template, its style and its JavaScript
"""
