"""The code half of the linker: names, values, walks, sections and uses, over all Python of the project."""
