"""What a line or a paragraph says: networks, CTC and attention decoding, language model, confidence."""
