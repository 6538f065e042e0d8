"""An Arista EOS switch: its command line and its eAPI. Every output was written for the lab; none was recorded."""
