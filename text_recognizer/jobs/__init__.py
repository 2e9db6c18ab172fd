"""Documents by the thousand: what there is to read, who reads it, where it goes, and what has been done."""
