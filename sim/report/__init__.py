"""What people look at: figures with the frames they show, and the report of a run as one HTML file."""
