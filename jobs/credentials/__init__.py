"""Where logins come from when a request only refers to them."""
