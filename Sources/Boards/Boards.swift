// Boards: see CONTRIBUTING.md
