// Bits: see CONTRIBUTING.md
