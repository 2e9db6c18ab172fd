"""Lines with known text, made by people: forms to copy prompts onto, and what becomes of photographs of them."""
