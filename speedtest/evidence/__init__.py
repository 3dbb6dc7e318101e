"""Evidence that stands: stamps of the lake, the document of a verdict in several languages, and its verification."""
