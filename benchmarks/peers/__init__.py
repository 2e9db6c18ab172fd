"""Text Recognizer and other recognisers side by side."""
