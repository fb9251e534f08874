// GuestKit: see CONTRIBUTING.md
