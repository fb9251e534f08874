// HostKit: see CONTRIBUTING.md
