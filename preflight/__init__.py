"""What will go wrong? Reads the files of a deployment, before anything is deployed."""
