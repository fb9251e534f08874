// Machine: see CONTRIBUTING.md
