"""Where the text of a page is: line detection, reading order, regions."""
