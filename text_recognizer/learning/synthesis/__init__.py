"""Generated data: characters, lines, paragraphs, pages, photographs."""
