"""What is known of a document: contents, versions, values, places."""
