"""Stand-ins for SafetyAmp, Samsara and Microsoft Graph, as strict as docs/contracts/ says
that these are."""
