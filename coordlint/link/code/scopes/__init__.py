"""What a project's files name: modules, classes, functions, bindings, statements. Nothing is evaluated here."""
