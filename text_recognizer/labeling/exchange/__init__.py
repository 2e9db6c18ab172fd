"""Labels of other programs and for them: Label Studio, PAGE XML, ALTO."""
