// Bus: see CONTRIBUTING.md
