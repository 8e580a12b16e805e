"""Labels that are probably wrong: found by models that have not seen the image.

images       what is checked: the images of data/prepared, their names and labels
features     of a pretrained base, pooled
head         a linear head on features, out of fold
out_of_fold  each image's probabilities by a model that was trained without it
doubts       confident learning (cleanlab), and who looks like whom
fixes        reports/label_issues.csv, which a person edits
page         the HTML file
"""
