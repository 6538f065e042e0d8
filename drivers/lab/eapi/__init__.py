"""HTTPS JSON-RPC in front of a device, as Arista's eAPI has it. Knows no platform."""
