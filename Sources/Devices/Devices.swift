// Devices: see CONTRIBUTING.md
