"""Tables, figures and the HTML page, computed from score and count files."""
