"""Reports, each one self-contained HTML file, and its figures as JSON: of a run (`page`), of a curation (`data_page`).

They take what `content` and `data_content` hold.
"""
