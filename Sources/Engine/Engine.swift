// Engine: see CONTRIBUTING.md
