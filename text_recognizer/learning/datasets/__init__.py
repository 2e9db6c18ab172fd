"""Real data: one file a dataset, and the registry that knows all of them by name.

A dataset registers itself when its module is imported; the registry imports the modules below when it is first asked.
They are named here, and not imported, because generators stand above the real data that they are made of.
"""

#: The modules that register datasets, in the order in which these are listed. A new dataset is a line here.
MODULES = (
    "text_recognizer.learning.datasets.iam",
    "text_recognizer.learning.synthesis.iam_ondb",
    "text_recognizer.learning.datasets.iam_paragraphs",
    "text_recognizer.learning.datasets.pages",
    "text_recognizer.learning.synthesis.recombined_lines",
    "text_recognizer.learning.synthesis.lines",
    "text_recognizer.learning.synthesis.form_lines",
    "text_recognizer.learning.synthesis.character_lines",
    "text_recognizer.learning.synthesis.stacked_paragraphs",
    "text_recognizer.learning.synthesis.pages",
    "text_recognizer.learning.synthesis.characters",
    "text_recognizer.learning.datasets.own_folder",
    "text_recognizer.learning.datasets.page_xml",
    "text_recognizer.learning.datasets.page_xml_regions",
    "text_recognizer.learning.datasets.line_images",
)

#: The group of entry points with which other packages name modules that register datasets.
ENTRY_POINTS = "text_recognizer.datasets"
