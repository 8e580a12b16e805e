"""The page that `dvc plots show` and `diff` fill in, with its scripts inside.

DVC's own page loads Vega from the internet. This one carries the copy of it
that ships in the package vl-convert-python, so it opens without a network.
`make setup` writes it to .dvc/plots.html, where .dvc/config names it; it is
not committed, for it is 0.9 MB of another project's code.
"""

from pathlib import Path

import vl_convert

from pipeline.runtime import files

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Plots</title>
<style>
body {{ font-family: system-ui, sans-serif; margin: 2rem; }}
table {{ border-spacing: 1rem; }}
</style>
<script>(() => {{ {script} }})();</script>
</head>
<body>
{{plot_divs}}
</body>
</html>
"""


def main() -> None:
    script = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    files.write_text(Path(".dvc/plots.html"), PAGE.format(script=script))


if __name__ == "__main__":
    main()
