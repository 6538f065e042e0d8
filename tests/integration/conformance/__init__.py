"""What every driver must do, on every kind of device that it is simulated or really there for."""
