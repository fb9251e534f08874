// DebugServer: see CONTRIBUTING.md
