// GDBRemote: see CONTRIBUTING.md
