"""Stand-ins for SafetyAmp, Samsara and Microsoft Graph, as strict as the recorded traffic."""
