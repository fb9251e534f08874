// SoftFloat: see CONTRIBUTING.md
