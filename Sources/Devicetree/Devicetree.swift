// Devicetree: see CONTRIBUTING.md
