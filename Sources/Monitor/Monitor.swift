// Monitor: see CONTRIBUTING.md
