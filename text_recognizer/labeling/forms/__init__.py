"""Forms to print, fill in and photograph: handwriting whose text is known before it is written."""
