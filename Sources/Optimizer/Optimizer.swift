// Optimizer: see CONTRIBUTING.md
