// HostInterpreter: see CONTRIBUTING.md
